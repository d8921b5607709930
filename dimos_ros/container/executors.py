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
ERROR_PAUSE = 0.1
"""Seconds to wait after the executor itself failed, so that a lasting failure leaves others the core and the log."""


def make_executor(
    kind: str, context: Context, threads: int | None = None, on_error: Callable[[BaseException], None] | None = None
) -> Any:
    """A new executor; ``threads`` is for "multi" alone, None for one a core. Of a multi executor, ``on_error``
    hears of what tasks raise; the others raise it where they are spun."""
    if kind == "events":
        return make_events_executor(context)
    if kind == "multi":
        # With one thread rclpy warns, and a callback that waits for another never ends.
        threads = max(2, threads or os.cpu_count() or 2)
        multi = MultiThreadedExecutor(threads, context=context)
        if on_error is not None:
            report_task_errors(multi, threads, on_error)
        return multi
    return SingleThreadedExecutor(context=context)


def sound_kind(kind: str, context: Context) -> str:
    """The kind of executor to use where ``kind`` is asked for: "single" where the EventsExecutor is not sound."""
    if kind not in KINDS:
        raise ValueError(f"there is no executor {kind!r}; there are {', '.join(KINDS)}")
    return "single" if kind == "events" and not events_executor_is_sound(context) else kind


def events_executor_is_sound(context: Context) -> bool:
    """Whether this rclpy has an EventsExecutor that works, as it is used here. Logs what is wrong with one, once."""
    fault = events_executor_fault(context)
    if fault:
        warn_once(f"{fault}; the single-threaded executor is used instead")
    return not fault


class Spinner:
    """An executor with the thread that spins it, which also does jobs for the nodes in it.

    Jobs are done between two rounds of the executor, never inside of one: only then can a node be
    destroyed. ``on_error`` hears of what the executor raises; the thread goes on.
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
        """Have the thread do ``job``, after what it does now."""
        future: Future[T] = Future()
        self._jobs.append((future, job))
        self._given.set()
        self._wake()
        return future

    def stop(self) -> None:
        """End the thread after the jobs that it has. Returns at once."""
        self._stopping = True
        self._given.set()
        self._wake()

    def attach(self, node: Node) -> None:
        """Spin ``node`` too."""
        self._executor.add_node(node)

    def detach(self, node: Node) -> None:
        """Have the executor let go of ``node``, so that it can be destroyed. Only in the spinner's thread."""
        self._executor.remove_node(node)
        deadline = time.monotonic() + DETACH_SECONDS
        # The EventsExecutor works off a queue, and lets go at its end. The others look at their nodes
        # again when they are spun in another way than the last time.
        marker = self._executor.create_task(_nothing)
        while self._context.ok() and time.monotonic() < deadline:
            self._spin(0.0)
            if marker.done() or self._kind != "events":
                break

    def _wake(self) -> None:
        """Have the executor return. Where it is shut down or gone, the thread is not in it."""
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
        """Many callbacks in one call, which with the EventsExecutor saves a third of what each costs."""
        self._awaited = task.Future()
        if not self._jobs and not self._stopping:  # else somebody has woken the one before
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
            pass  # what is left to do are jobs
        except BaseException as error:
            self._fail(error)

    def _report(self, error: BaseException) -> None:
        """Tell of an error, once: a multi executor raises again what its pool has told of."""
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
    """What is given to an executor to have it return."""
