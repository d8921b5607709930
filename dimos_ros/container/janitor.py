"""Frees nodes that were destroyed and are still held by references among themselves."""

from __future__ import annotations

import gc
import threading
import weakref
from typing import Any

DELAY = 1.0
"""Seconds between the first unload that left something and the collection, which is for all until then."""


class Janitor:
    """Python frees cycles when it comes to it. What rcl has for such an object, endpoints included, would stay
    until then."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._expected: list[weakref.ref[Any]] = []
        self._closed = threading.Event()

    def expect_freed(self, node: Any) -> None:
        """See to it that ``node`` is freed soon; the caller is to drop it."""
        with self._lock:
            self._expected.append(weakref.ref(node))
            if len(self._expected) == 1 and not self._closed.is_set():
                threading.Thread(target=self._collect, name="janitor", daemon=True).start()

    def close(self) -> None:
        """Collect no more."""
        self._closed.set()

    def _collect(self) -> None:
        if self._closed.wait(DELAY):
            return
        with self._lock:
            expected, self._expected = self._expected, []
        if any(reference() is not None for reference in expected):
            gc.collect()
