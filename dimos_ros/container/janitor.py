"""Freeing destroyed nodes that reference cycles still hold."""

from __future__ import annotations

import gc
import threading
import weakref
from typing import Any

DELAY = 1.0
"""Seconds between the first unload and the collection of garbage, so that one collection serves several unloads."""


class Janitor:
    """The collector of destroyed nodes that are in reference cycles.

    Python frees a cycle only at some later collection of garbage. Until then the node's rcl objects, endpoints
    included, would stay.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._expected: list[weakref.ref[Any]] = []
        self._closed = threading.Event()

    def expect_freed(self, node: Any) -> None:
        """Make sure that ``node`` is freed soon. The caller must drop its own references to it."""
        with self._lock:
            self._expected.append(weakref.ref(node))
            if len(self._expected) == 1 and not self._closed.is_set():
                threading.Thread(target=self._collect, name="janitor", daemon=True).start()

    def close(self) -> None:
        """Stop collecting."""
        self._closed.set()

    def _collect(self) -> None:
        if self._closed.wait(DELAY):
            return
        with self._lock:
            expected, self._expected = self._expected, []
        if any(reference() is not None for reference in expected):
            gc.collect()
