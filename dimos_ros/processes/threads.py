"""Threads that are reused, so that blocking work does not cost a new thread each time."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable

Work = Callable[[], None]


class CachedThreads:
    """A pool of threads that runs each piece of work at once: in an idle thread if there is one, else in a new one.

    ``concurrent.futures.ThreadPoolExecutor`` has an upper limit, at which work that waits for other work would
    deadlock. This pool has no limit. Its threads are daemons, so that a hanging thread does not keep the process
    alive. A thread that has been idle for ``idle_seconds`` ends.
    """

    def __init__(self, name: str, idle_seconds: float = 10.0) -> None:
        self._name = name
        self._idle_seconds = idle_seconds
        self._lock = threading.Lock()
        self._idle: list[queue.SimpleQueue[Work | None]] = []
        self._closed = False

    def submit(self, work: Work) -> None:
        """Run ``work`` in another thread, at once. ``work`` has to handle its own errors."""
        with self._lock:
            inbox = self._idle.pop() if self._idle else None
        if inbox is not None:
            inbox.put(work)
        else:
            threading.Thread(target=self._run, args=(work,), name=self._name, daemon=True).start()

    def close(self) -> None:
        """End the idle threads now, and each busy thread when its work is done."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for inbox in idle:
            inbox.put(None)

    def _run(self, work: Work | None) -> None:
        inbox: queue.SimpleQueue[Work | None] = queue.SimpleQueue()
        while work is not None:
            work()
            work = None  # so that its objects can be freed before the next piece of work comes
            with self._lock:
                if self._closed:
                    return
                self._idle.append(inbox)
            try:
                work = inbox.get(timeout=self._idle_seconds)
            except queue.Empty:
                with self._lock:
                    if inbox in self._idle:
                        self._idle.remove(inbox)
                        return
                work = inbox.get()  # submit() took this thread between the timeout and the lock
