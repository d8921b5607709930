"""A wait for SIGINT or SIGTERM.

Python runs a signal's handler in the main thread, between two steps of the code that runs there. Suppose that the
handler sets a ``threading.Event``, and the main thread is just starting to wait for it. The interrupted code then
holds the event's lock, and the handler waits for ever. Besides, a signal that the system gives to another thread does
not wake a main thread that waits for a lock. Therefore the handlers here do nothing. Python writes the signal's
number to a pipe, whichever thread gets the signal, and the wait reads from this pipe.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import threading

STOPPING = frozenset({signal.SIGINT, signal.SIGTERM})


class StopSignals:
    """The signals that would end the process. From its construction on, they end :meth:`wait` instead.

    Outside the main thread it receives no signals, since Python handles signals in the main thread alone.
    """

    def __init__(self) -> None:
        self._came = False
        self._reader, writer = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._restore = contextlib.ExitStack()
        self._restore.callback(os.close, self._reader)
        self._restore.callback(os.close, writer)
        if threading.current_thread() is threading.main_thread():
            self._restore.callback(signal.set_wakeup_fd, signal.set_wakeup_fd(writer, warn_on_full_buffer=False))
            for number in STOPPING:
                self._restore.callback(signal.signal, number, signal.signal(number, lambda *_: None))

    def wait(self, timeout: float | None = None) -> bool:
        """Wait ``timeout`` seconds at most, and return whether a signal has come."""
        while not self._came:
            ready, _, _ = select.select([self._reader], [], [], timeout)
            if ready:
                self._came = not STOPPING.isdisjoint(os.read(self._reader, 4096))
            elif timeout is not None:
                break
        return self._came

    def close(self) -> None:
        """Restore the previous handlers of the signals."""
        self._restore.close()

    def __enter__(self) -> StopSignals:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
