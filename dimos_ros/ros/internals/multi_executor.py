"""Immediate reports of the errors that tasks of rclpy's MultiThreadedExecutor raise."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from rclpy.context import Context
from rclpy.executors import MultiThreadedExecutor

from dimos_ros.ros.internals.internal import Internal, NotNeededError, warn_once


class _ReportingPool(ThreadPoolExecutor):
    """The thread pool of a MultiThreadedExecutor that reports an error of a task at once.

    rclpy itself reports it with the next message, and never reports ``SystemExit``.
    """

    def __init__(self, threads: int, on_error: Callable[[BaseException], None]) -> None:
        super().__init__(threads, thread_name_prefix="callbacks")
        self._on_error = on_error

    def submit(self, work: Any, /, *arguments: Any, **options: Any) -> Future[Any]:
        """Run a task of rclpy in a thread of the pool."""
        future = super().submit(work, *arguments, **options)
        future.add_done_callback(lambda done: self._check(done, work))
        return future

    def _check(self, done: Future[Any], work: Any) -> None:
        error = done.exception()
        if error is not None:
            work.cancel()  # otherwise rclpy considers the task as running
        elif work.done():
            error = work.exception()
        if error is not None:
            self._on_error(error)


def report_task_errors(
    executor: MultiThreadedExecutor, threads: int, on_error: Callable[[BaseException], None]
) -> bool:
    """Call ``on_error`` at once with each error that a task of ``executor`` raises.

    Call it before the executor spins. The executor itself still raises the error, when it spins next. Returns whether
    this rclpy allows the report.
    """
    pool = getattr(executor, "_executor", None)
    if not isinstance(pool, ThreadPoolExecutor):
        warn_once(
            "this rclpy's MultiThreadedExecutor has no thread pool that can be replaced: an error that a task raises "
            "is reported with the next message only"
        )
        return False
    executor._executor = _ReportingPool(threads, on_error)
    pool.shutdown(wait=False)
    return True


def _probe(context: Context) -> str:
    executor = MultiThreadedExecutor(2, context=context)
    told = threading.Event()
    try:
        if not report_task_errors(executor, 2, lambda _: told.set()):
            raise NotNeededError("a MultiThreadedExecutor has no thread pool that can be replaced")

        def leave() -> None:
            raise SystemExit(3)

        executor.create_task(leave)
        executor.spin_once(timeout_sec=1.0)
        if not told.wait(1.0):
            raise RuntimeError("an error that a task raised was not reported within a second")
    finally:
        executor.shutdown(0.0)
    return "SystemExit in a task was reported at once"


INTERNAL = Internal(
    name="errors of a MultiThreadedExecutor",
    purpose="an error that a task raises is reported at once, SystemExit too",
    touches="MultiThreadedExecutor._executor, replaced",
    upstream="ros2/rclpy#1659, ros2/rclpy#983",
    versions="7.1 and newer",
    fallback="rclpy's own pool: errors are reported with the next message; the log says so once",
    probe=_probe,
)
