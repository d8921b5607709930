"""Threads that are reused: blocking work without the cost of a new thread each time."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable

Work = Callable[[], None]


class CachedThreads:
    """Runs each piece of work at once, in an idle thread if there is one, else in a new one.

    Unlike ``concurrent.futures.ThreadPoolExecutor`` it has no upper limit that waiting work could deadlock
    on, and its threads are daemons, so that one that hangs does not keep a process up. A thread that has
    been idle for ``idle_seconds`` ends.
    """

    def __init__(self, name: str, idle_seconds: float = 10.0) -> None:
        self._name = name
        self._idle_seconds = idle_seconds
        self._lock = threading.Lock()
        self._idle: list[queue.SimpleQueue[Work | None]] = []
        self._closed = False

    def submit(self, work: Work) -> None:
        """Run ``work`` in another thread, now. It handles its own errors."""
        with self._lock:
            inbox = self._idle.pop() if self._idle else None
        if inbox is not None:
            inbox.put(work)
        else:
            threading.Thread(target=self._run, args=(work,), name=self._name, daemon=True).start()

    def close(self) -> None:
        """End the idle threads now, and each of the others when its work is done."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for inbox in idle:
            inbox.put(None)

    def _run(self, work: Work | None) -> None:
        inbox: queue.SimpleQueue[Work | None] = queue.SimpleQueue()
        while work is not None:
            work()
            work = None  # what it holds need not live until the next piece
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
                work = inbox.get()  # handed over in the instant between the two
