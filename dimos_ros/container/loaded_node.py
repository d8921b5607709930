"""One node of a container, from its construction to its end."""

from __future__ import annotations

import concurrent.futures
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from rclpy.context import Context
from rclpy.logging import LoggingSeverity, get_logger
from rclpy.node import Node

from dimos_ros.container.callback_guard import CallbackGuard
from dimos_ros.container.destruction import destroy_remains, end_type_description, interrupt
from dimos_ros.container.executors import Spinner
from dimos_ros.container.fork_guard import leave_fork
from dimos_ros.container.lifecycle import deactivate, state_of, trigger
from dimos_ros.container.load_options import LoadOptions
from dimos_ros.container.node_context import NodeContext
from dimos_ros.container.protocol import Unloaded
from dimos_ros.exceptions import LoadRefusedError, ModuleFailedError, RequestTimeoutError
from dimos_ros.ros.errors import Interrupted, error_text, log_raised, traceback_text
from dimos_ros.ros.node_options import Host, NodeOptions, applied

T = TypeVar("T")

IDLE_SECONDS = 1.0
"""Seconds that callbacks in threads of a multi executor may go on after their node was removed from it."""


class LoadedNode:
    """A node of a container, with its context and the spinner that spins it.

    ``on_created(full_name)`` is called when the node's full name is known. It refuses the node by raising
    LoadRefusedError.
    """

    def __init__(
        self,
        unique_id: int,
        node_class: type,
        options: LoadOptions,
        context: Context,
        host: Host | None,
        on_created: Callable[[str], None],
    ) -> None:
        self.unique_id = unique_id
        self.name = ""
        """The full node name; "" until the rclpy node exists."""
        self.node: Node | None = None
        self.errors = 0
        self.last_error = ""
        self.guard = CallbackGuard(self.error)
        self.context = NodeContext(context, self._on_shutdown_call)
        self._class = node_class
        self._options = options
        self._host = host
        self._on_created = on_created
        self._logger = get_logger(options.full_name.strip("/").replace("/", ".") or node_class.__name__)
        self._told_state = ""
        self._taking_down: Future[Unloaded] | None = None
        self._lock = threading.Lock()
        self._abandoned = False
        self._problems: list[str] = []

    # ------------------------------------------------------------------------------------------ construction

    def construct(self) -> None:
        """Construct the node, in the calling thread.

        Raises LoadRefusedError, or ModuleFailedError with the text of the error that the constructor raised.
        """
        extra = self._options.extra
        options = NodeOptions(
            context=self.context,
            arguments=self._options.arguments,
            parameter_overrides=self._options.parameters,
            enable_rosout=extra.get("enable_rosout"),
            start_parameter_services=extra.get("start_parameter_services"),
            enable_logger_service=extra.get("enable_logger_service"),
            host=self,
            created=self._created,
        )
        try:
            with self.guard.running("its constructor"), applied(options):
                node = self._class()
            if self._abandoned:
                raise LoadRefusedError("the container closed while the node was constructed")
            self.guard.watch(node)
            self.node = node
        except BaseException as error:
            leave_fork(self.guard.process, error)
            if options.node is not None:
                end_type_description(options.node)
                self._free(options.node)
            if isinstance(error, LoadRefusedError):
                raise
            self._logger.error(f"the constructor raised {_text(error)}\n{traceback_text(error)}")
            # Do not chain the error: its traceback would keep the half-made node alive.
            raise ModuleFailedError(f"Component constructor threw an exception: {_text(error)}") from None

    def _created(self, node: Node) -> None:
        self.name = node.get_fully_qualified_name()
        self._logger = node.get_logger()
        self._on_created(self.name)
        if self._options.log_level:
            self._logger.set_level(LoggingSeverity(self._options.log_level))

    # --------------------------------------------------------------------------------------------- operation

    def attach(self, spinner: Spinner, owned: bool) -> None:
        """Begin to spin the node. An ``owned`` spinner has only this node, and ends with it."""
        assert self.node is not None
        self._spinner = spinner
        self._owned = owned
        spinner.attach(self.node)

    @property
    def directory(self) -> Any:
        """The directory of the fleet's other nodes; see :class:`dimos_ros.ros.node_options.Host`."""
        return self._host.directory if self._host is not None else None

    def error(self, where: str, error: BaseException) -> None:
        """Log and count an error that the node's code raised, and report it to the host. The node goes on."""
        leave_fork(self.guard.process, error)
        self.errors += 1
        self.last_error = log_raised(self._logger, where, error)
        if self._host is not None:
            self._host.error(where, error)

    def state(self, label: str) -> None:
        """Report to the host that the node reached a lifecycle state, whichever program asked for it."""
        self._told_state = label
        if self._host is not None:
            self._host.state(label)

    def finish(self, summary: str) -> None:
        """Report to the host that the job of the whole fleet is done; log it if there is no host."""
        if self._host is not None:
            self._host.finish(summary)
        else:
            self._logger.info(f"finished: {summary}")

    def run(self, function: Callable[[Node], T], timeout: float) -> T:
        """Call ``function(node)`` in the thread of the node's executor and return its result.

        Raises the function's own errors. Raises RequestTimeoutError after ``timeout`` seconds, with the name of the
        code that keeps the thread busy. A function that has begun by then goes on.
        """
        future = self._spinner.submit(lambda: self._call(function))
        try:
            return future.result(timeout)
        except concurrent.futures.TimeoutError:
            if future.done():
                raise  # the function itself raised this error
            future.cancel()
            busy = self.guard.busy_with() or "other nodes of its executor"
            raise RequestTimeoutError(f"{self.name} did not answer within {timeout:g} s: busy with {busy}") from None

    def transition(self, name: str, timeout: float) -> None:
        """Run a lifecycle transition in the node's own thread, and report the resulting state to the host.

        Raises ModuleFailedError with the text of the error that the node's callback raised. Raises RequestTimeoutError
        like :meth:`run`.
        """

        def run(node: Node) -> None:
            errors = self.errors
            try:
                trigger(node, name)
            except ModuleFailedError as error:
                cause = self.last_error if self.errors > errors else str(error)
                raise ModuleFailedError(f"{cause} (now {state_of(node)})") from None
            finally:
                # A module reports its states itself; any other managed node does not.
                if self._told_state != state_of(node):
                    self.state(state_of(node))

        self.run(run, timeout)

    def _call(self, function: Callable[[Node], T]) -> T:
        if self.node is None or self._abandoned:
            raise ModuleFailedError(f"{self.name} is being unloaded")
        with self.guard.running("a request"):
            return function(self.node)

    def _on_shutdown_call(self, what: str) -> None:
        self.error("context", RuntimeError(f"{self.name or self._class.__name__} {what}; the other nodes go on"))

    # --------------------------------------------------------------------------------------------------- end

    def take_down(self, timeout: float) -> Unloaded:
        """Stop and destroy the node within ``timeout`` seconds, by force if its code does not return. Thread-safe."""
        with self._lock:
            if self._taking_down is not None:
                ours, future = False, self._taking_down
            else:
                ours, future = True, Future()
                self._taking_down = future
        if not ours:
            try:
                return future.result(timeout)
            except concurrent.futures.TimeoutError:
                return Unloaded(False, f"an earlier request is still unloading {self.name}")
        try:
            result = self._take_down(timeout)
        except BaseException as error:  # other threads may wait for the result
            result = self._forced(f"taking it down failed: {_text(error)}")
        future.set_result(result)
        return result

    def abandon(self) -> None:
        """End a running construction by interrupting its Python code. Code that waits in C cannot be ended."""
        self._abandoned = True
        self.context.end()
        interrupt(self.guard.threads)

    def _take_down(self, timeout: float) -> Unloaded:
        start = time.monotonic()
        done = self._spinner.submit(self._end)
        if self._ended(done, timeout * 0.5):
            return Unloaded(True, detail="; ".join(self._problems))
        busy = self.guard.busy_with()
        what = busy or "other nodes of its executor"
        late = f"{what} did not return within {time.monotonic() - start:.1f} s"
        if busy:
            interrupt(self.guard.threads)
            if self._ended(done, timeout * 0.3):
                return self._forced("; ".join([f"{late}, and was interrupted", *self._problems]))
        # If the thread ever returns, the queued job destroys the node without calling the node's own code.
        self._abandoned = True
        self.context.end()
        if self.node is not None:
            destroy_remains(self.node)
        return self._forced(
            f"{late}, and could not be interrupted: its thread was abandoned and the node destroyed by force "
            "(endpoints that the executor still uses disappear when the thread returns)"
        )

    def _forced(self, detail: str) -> Unloaded:
        self._logger.warning(f"unloaded by force: {detail}")
        return Unloaded(True, forced=True, detail=detail)

    def _ended(self, done: Future[None], timeout: float) -> bool:
        if not concurrent.futures.wait([done], timeout).done:
            return False
        if self._owned:
            self._spinner.thread.join(timeout)
        return True

    def _end(self) -> None:
        """Take the node down, in its spinner's thread. An interruption ends only the current step."""
        node = self.node
        try:
            if node is None:
                return
            if not self._abandoned:
                self._step("its lifecycle callbacks", lambda: self._problems.extend(deactivate(node)))
                self._step("its on_shutdown callbacks", self.context.end)
            self._step("its executor", lambda: self._spinner.detach(node))
            if self.guard.wait_idle(IDLE_SECONDS):
                end_type_description(node)
            if not self._abandoned:
                self._step("its destroy_node", node.destroy_node)
        finally:
            self.node = None
            if node is not None:
                self._free(node)
            if self._owned:
                self._spinner.stop()

    def _step(self, what: str, step: Callable[[], Any]) -> None:
        try:
            with self.guard.running(what):
                step()
        except BaseException as error:
            leave_fork(self.guard.process, error)
            if not isinstance(error, Interrupted):
                self._problems.append(f"{what} raised {_text(error)}")
                self.error(what, error)

    def _free(self, node: Node) -> None:
        self.guard.release(node)
        destroy_remains(node)
        if self._options.log_level or self._options.extra.get("enable_logger_service"):
            # rcutils keeps a level by the logger's name, and another node may get the same name later.
            self._logger.set_level(LoggingSeverity.UNSET)


def _text(error: BaseException) -> str:
    text = error_text(error)
    if isinstance(error, TypeError) and "__init__()" in str(error):
        text += " (a container calls a node's class without arguments)"
    return text
