"""A container without its ROS services: it loads, unloads and lists the nodes of one process."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from rclpy.context import Context
from rclpy.logging import get_logger
from rclpy.node import Node

from dimos_ros.container.class_lookup import ClassLookup
from dimos_ros.container.executors import Spinner, sound_kind
from dimos_ros.container.fork_guard import ForkGuard
from dimos_ros.container.janitor import Janitor
from dimos_ros.container.load_options import LoadOptions
from dimos_ros.container.loaded_node import LoadedNode
from dimos_ros.container.nested_spin import NestedSpin
from dimos_ros.container.node_context import DefaultContext
from dimos_ros.container.node_register import NodeRegister
from dimos_ros.container.protocol import Unloaded
from dimos_ros.exceptions import InstanceNotFoundError, LoadRefusedError
from dimos_ros.loading.load_request import LoadRequest
from dimos_ros.processes.malloc import limit_arenas
from dimos_ros.ros.node_options import Host

T = TypeVar("T")

PATIENCE = 0.3
"""Seconds that :meth:`ComponentManager.close` waits for one node before it also closes the next."""

HostFactory = Callable[[int], Host]


class ComponentManager:
    """The manager of the nodes in ``context``. All methods are thread-safe.

    ``executor`` is "events", "single" or "multi" (with ``threads`` threads). If ``isolated``, each node has
    an executor and a thread of its own, in which it is constructed, spun and destroyed. Else all nodes share one
    executor. Only classes of ``allowed_packages`` are imported; if it is empty, all are.
    ``host_factory(unique_id)`` makes the object through which a node reaches the container's owner. A node whose
    request has ``forward_global_arguments`` gets the ``container_arguments`` too. ``taken`` has the full names and
    ids of nodes in other processes.
    """

    def __init__(
        self,
        context: Context,
        *,
        executor: str = "events",
        isolated: bool = True,
        threads: int | None = None,
        allowed_packages: Sequence[str] = (),
        host_factory: HostFactory | None = None,
        container_arguments: Sequence[str] = (),
        taken: Mapping[str, int] | None = None,
    ) -> None:
        limit_arenas()
        self.context = context
        self.executor = sound_kind(executor, context)
        self.threads = threads
        self.lookup = ClassLookup(allowed_packages)
        self._host_factory = host_factory
        self._container_arguments = tuple(container_arguments)
        self._logger = get_logger("container")
        self._lock = threading.Lock()
        self.register = NodeRegister(taken)
        self._nodes: dict[int, LoadedNode] = {}
        self._constructing: set[LoadedNode] = set()
        self._janitor = Janitor()
        self._fork_guard = ForkGuard()
        self._default_context = DefaultContext(context, self._on_shutdown_call)
        self._nested_spin = NestedSpin(context)
        if self._default_context.install():
            self._nested_spin.install()
        self._isolated = isolated
        self._shared: Spinner | None = None

    # ---------------------------------------------------------------------------------------------- loading

    def preload(self, package_name: str, plugin_name: str) -> None:
        """Import a class. Raises ClassNotFoundError, which names the cause."""
        self.lookup.find(package_name, plugin_name)

    def load(self, request: LoadRequest, unique_id: int | None = None) -> LoadedNode:
        """Construct a node and spin it. Blocks until the constructor returns.

        ``unique_id`` is the id of a node that is loaded again. Raises ClassNotFoundError, LoadRefusedError, or
        ModuleFailedError with the constructor's error.
        """
        options = LoadOptions.of(request, self._container_arguments)
        node_class = self.lookup.find(request.package_name, request.plugin_name)
        number = self.register.begin(options.certain_name, unique_id)
        try:
            host = self._host_factory(number) if self._host_factory is not None else None
            loaded = LoadedNode(
                number, node_class, options, self.context, host, lambda name: self.register.claim(name, number)
            )
            self._construct_listed(loaded)
        except BaseException as error:
            self.register.release(number, refused=isinstance(error, LoadRefusedError))
            raise
        with self._lock:
            self._nodes[number] = loaded
        self.register.ready(number)
        if self.register.is_closed:
            self.unload(number)
            raise LoadRefusedError("the container closed while the node was constructed")
        return loaded

    def _construct_listed(self, loaded: LoadedNode) -> None:
        with self._lock:
            self._constructing.add(loaded)
        try:
            self._construct(loaded)
        finally:
            with self._lock:
                self._constructing.discard(loaded)

    def _construct(self, loaded: LoadedNode) -> None:
        """Construct a node in the thread of its own executor; if nodes share an executor, in this thread."""
        if not self._isolated:
            loaded.construct()
            loaded.attach(self._shared_spinner(), owned=False)
            return
        spinner = Spinner(
            self.executor,
            self.context,
            f"node {loaded.unique_id}",
            lambda error: loaded.error("a task", error),
            self.threads,
        )
        try:
            spinner.submit(loaded.construct).result()
        except BaseException:
            spinner.stop()
            raise
        loaded.attach(spinner, owned=True)

    def _shared_spinner(self) -> Spinner:
        with self._lock:
            if self._shared is None:
                self._shared = Spinner(self.executor, self.context, "nodes", self._on_executor_error, self.threads)
            return self._shared

    # ---------------------------------------------------------------------------------------------- the rest

    def unload(self, unique_id: int, timeout: float = 5.0) -> Unloaded:
        """Take a node down. A managed node is deactivated and cleaned up first.

        Returns within ``timeout`` seconds. Uses force if the node does not end by itself.
        """
        with self._lock:
            loaded = self._nodes.get(unique_id)
        if loaded is None:
            return Unloaded(False, self._not_found(unique_id))
        node = loaded.node
        result = loaded.take_down(timeout)
        if result.success:
            if node is not None:
                self._janitor.expect_freed(node)
            with self._lock:
                self._nodes.pop(unique_id, None)
            self.register.release(unique_id)
        return result

    def list(self) -> list[tuple[int, str]]:
        """Return the ids and full names of the nodes, sorted by id. A node is listed until its unload has ended."""
        with self._lock:
            return sorted((unique_id, loaded.name) for unique_id, loaded in self._nodes.items())

    def node(self, unique_id: int) -> Node | None:
        """Return the rclpy node with this id, or None."""
        loaded = self._nodes.get(unique_id)
        return loaded.node if loaded is not None else None

    def errors(self, unique_id: int) -> tuple[int, str]:
        """Return the number of errors that a node's code has raised, and the last. Raises InstanceNotFoundError."""
        loaded = self._find(unique_id)
        return loaded.errors, loaded.last_error

    def run(self, unique_id: int, function: Callable[[Node], T], timeout: float) -> T:
        """Run ``function(node)`` in the thread of the node's executor, and return its result.

        Raises the function's errors, RequestTimeoutError (a TimeoutError) after ``timeout`` seconds, and
        InstanceNotFoundError.
        """
        return self._find(unique_id).run(function, timeout)

    def transition(self, unique_id: int, name: str, timeout: float) -> None:
        """Run a lifecycle transition of a managed node.

        Raises InstanceNotFoundError, and the errors of :meth:`LoadedNode.transition`.
        """
        self._find(unique_id).transition(name, timeout)

    def close(self, timeout: float = 5.0) -> None:
        """Take all nodes down, the last first, and refuse to load more.

        A node that hangs takes ``timeout`` seconds at most.
        """
        self.register.close()
        with self._lock:
            constructing = list(self._constructing)
            unique_ids = sorted(self._nodes, reverse=True)
        for loaded in constructing:
            loaded.abandon()
        threads = []
        for unique_id in unique_ids:
            threads.append(threading.Thread(target=self.unload, args=(unique_id, timeout), name="close", daemon=True))
            threads[-1].start()
            # One node after the other, since nodes that end at the same time only wait for each other. A node
            # that takes longer than this does not delay the next.
            threads[-1].join(PATIENCE)
        for thread in threads:
            thread.join(timeout)
        if self._shared is not None:
            self._shared.stop()
            self._shared.thread.join(timeout)
        self._janitor.close()
        self._fork_guard.active = False
        self._nested_spin.remove()
        self._default_context.remove()

    # -------------------------------------------------------------------------------------------------- inside

    def _find(self, unique_id: int) -> LoadedNode:
        with self._lock:
            loaded = self._nodes.get(unique_id)
        if loaded is None:
            raise InstanceNotFoundError(self._not_found(unique_id))
        return loaded

    def _not_found(self, unique_id: int) -> str:
        found = ", ".join(f"{number} {name}" for number, name in self.list())
        return f"No node found with unique_id: {unique_id}; this container has {found or 'none'}"

    def _on_shutdown_call(self, what: str) -> None:
        """Log that a node's code tried to end rclpy's default context in the calling thread."""
        ident = threading.get_ident()
        with self._lock:
            everyone = [*self._nodes.values(), *self._constructing]
        for loaded in everyone:
            if ident in loaded.guard.threads:
                loaded.error("context", RuntimeError(f"it {what}, which has no effect in a container"))
                return
        self._logger.error(f"a thread of a node {what}, which has no effect in a container")

    def _on_executor_error(self, error: BaseException) -> None:
        names = ", ".join(name for _, name in self.list())
        self._logger.error(f"the executor of {names} raised {type(error).__name__}: {error}; it goes on")
