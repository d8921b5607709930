"""An asyncio loop in a thread of its own, for callers in other threads."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

from dimos_ros.exceptions import CoordinatorStoppedError

T = TypeVar("T")

JOIN_SECONDS = 60.0


class LoopThread:
    """A thread that runs coroutines for other threads until it is closed. ``name`` is its owner's name in errors."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine and return its result. If the wait is interrupted, cancel the coroutine.

        Raises the coroutine's errors, and CoordinatorStoppedError once this thread is closed.
        """
        if self._loop.is_closed():
            coroutine.close()
            raise CoordinatorStoppedError(f"{self._name} has stopped")
        future = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        try:
            return future.result()
        except concurrent.futures.CancelledError:
            raise CoordinatorStoppedError(f"{self._name} is stopping") from None
        except BaseException:
            future.cancel()
            raise

    def close(self) -> None:
        """End the loop and cancel the coroutines that still run in it."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(JOIN_SECONDS)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_forever()
            left = asyncio.all_tasks(self._loop)
            for task in left:
                task.cancel()
            self._loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        finally:
            self._loop.close()
