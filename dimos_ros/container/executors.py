"""rclpy's executors, and the thread that spins one."""

from __future__ import annotations

import collections
import contextlib
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from rclpy import task
from rclpy.context import Context
from rclpy.exceptions import InvalidHandle
from rclpy.executors import ExternalShutdownException, MultiThreadedExecutor, SingleThreadedExecutor
from rclpy.node import Node

from dimos_ros.container.fork_guard import leave_fork
from dimos_ros.ros.errors import Interrupted
from dimos_ros.ros.internals import (
    FOREVER,
    RclError,
    events_executor_fault,
    make_events_executor,
    report_task_errors,
    warn_once,
)

T = TypeVar("T")

KINDS = ("events", "single", "multi")

DETACH_SECONDS = 1.0
"""Seconds to wait until the executor has let go of a node."""

ERROR_PAUSE = 0.1
"""Seconds to wait after the executor itself failed, so that a lasting failure does not fill a core and the log."""


def make_executor(
    kind: str, context: Context, threads: int | None = None, on_error: Callable[[BaseException], None] | None = None
) -> Any:
    """Return a new executor. ``threads`` counts only for "multi"; None means one thread per core.

    A multi executor calls ``on_error`` with an error that a task raises. The other kinds raise it where they are spun.
    """
    if kind == "events":
        return make_events_executor(context)
    if kind == "multi":
        # With one thread rclpy warns, and a callback that waits for another callback never ends.
        threads = max(2, threads or os.cpu_count() or 2)
        multi = MultiThreadedExecutor(threads, context=context)
        if on_error is not None:
            report_task_errors(multi, threads, on_error)
        return multi
    return SingleThreadedExecutor(context=context)


def sound_kind(kind: str, context: Context) -> str:
    """Return the kind of executor to use for ``kind``. Raises ValueError for an unknown kind.

    It is ``kind`` itself, except that "single" replaces "events" if the EventsExecutor is not sound.
    """
    if kind not in KINDS:
        raise ValueError(f"there is no executor {kind!r}; there are {', '.join(KINDS)}")
    return "single" if kind == "events" and not events_executor_is_sound(context) else kind


def events_executor_is_sound(context: Context) -> bool:
    """Return whether this rclpy has an EventsExecutor that can be used here. If not, log the reason, once."""
    fault = events_executor_fault(context)
    if fault:
        warn_once(f"{fault}; the single-threaded executor is used instead")
    return not fault


class Spinner:
    """An executor and the thread that spins it. The thread also does jobs for the executor's nodes.

    Jobs run between two rounds of the executor, never inside one, because a node can be destroyed only then. If the
    executor raises an error, ``on_error`` is called with it and the thread goes on.
    """

    def __init__(
        self,
        kind: str,
        context: Context,
        name: str,
        on_error: Callable[[BaseException], None],
        threads: int | None = None,
    ) -> None:
        self._kind = kind
        self._context = context
        self._on_error = on_error
        self._executor = make_executor(kind, context, threads, self._report)
        self._jobs: collections.deque[tuple[Future[Any], Callable[[], Any]]] = collections.deque()
        self._given = threading.Event()
        self._stopping = False
        self._awaited: Any = task.Future()
        self._process = os.getpid()
        self.thread = threading.Thread(target=self._run, name=name, daemon=True)
        self.thread.start()

    def submit(self, job: Callable[[], T]) -> Future[T]:
        """Queue ``job`` for the thread, which does it after its current round. Return the job's future."""
        future: Future[T] = Future()
        self._jobs.append((future, job))
        self._given.set()
        self._wake()
        return future

    def stop(self) -> None:
        """Make the thread end after the queued jobs. Returns at once."""
        self._stopping = True
        self._given.set()
        self._wake()

    def attach(self, node: Node) -> None:
        """Add ``node`` to the executor."""
        self._executor.add_node(node)

    def detach(self, node: Node) -> None:
        """Make the executor let go of ``node``, so that it can be destroyed. Call it in the spinner's thread only."""
        self._executor.remove_node(node)
        deadline = time.monotonic() + DETACH_SECONDS
        # The EventsExecutor lets go of a node once its queue is empty; a marker in the queue shows when. The other
        # executors look at their nodes again when spin_once is called with other arguments than the last time.
        marker = self._executor.create_task(_nothing)
        while self._context.ok() and time.monotonic() < deadline:
            self._spin(0.0)
            if marker.done() or self._kind != "events":
                break

    def _wake(self) -> None:
        """Make the executor return. One that is shut down or deleted raises, but the thread is not inside it."""
        with contextlib.suppress(Exception):
            if self._kind == "events":
                self._awaited.set_result(None)
            else:
                self._executor.create_task(_nothing)

    def _run(self) -> None:
        while True:
            try:
                self._do_jobs()
                if self._stopping and not self._jobs:
                    break
                if not self._context.ok():
                    self._given.wait()
                    self._given.clear()
                elif self._kind == "events":
                    self._spin_until_woken()
                else:
                    self._spin(None)
            except BaseException as error:
                self._fail(error)
        executor, self._executor = self._executor, None
        with contextlib.suppress(Exception):
            executor.shutdown(0.0)

    def _spin_until_woken(self) -> None:
        """Run many callbacks in one call, which saves a third of the cost of each with the EventsExecutor."""
        self._awaited = task.Future()
        if not self._jobs and not self._stopping:  # otherwise _wake() may have ended the future before this one
            self._guarded(lambda: self._executor.spin_until_future_complete(self._awaited, FOREVER))

    def _do_jobs(self) -> None:
        while self._jobs:
            future, job = self._jobs.popleft()
            if not future.set_running_or_notify_cancel():
                continue
            try:
                future.set_result(job())
            except BaseException as error:
                leave_fork(self._process, error)
                future.set_exception(error)
            leave_fork(self._process)
            del future, job

    def _spin(self, timeout: float | None) -> None:
        self._guarded(lambda: self._executor.spin_once(timeout_sec=timeout))

    def _guarded(self, spin: Callable[[], None]) -> None:
        try:
            spin()
        except ExternalShutdownException:
            pass  # the context was shut down; the thread still does jobs
        except BaseException as error:
            self._fail(error)

    def _report(self, error: BaseException) -> None:
        """Report an error once: a multi executor raises an error again that its pool has reported."""
        if not getattr(error, "was_reported", False) and not isinstance(error, Interrupted):
            with contextlib.suppress(AttributeError):
                error.was_reported = True  # type: ignore[attr-defined]
            self._on_error(error)

    def _fail(self, error: BaseException) -> None:
        leave_fork(self._process, error)
        self._report(error)
        if isinstance(error, (InvalidHandle, RclError)):
            time.sleep(ERROR_PAUSE)


def _nothing() -> None:
    """Do nothing: this task only makes an executor return."""
