"""SIGINT and SIGTERM as something to wait for.

Python runs a signal's handler in the main thread, in the middle of whatever that does. A handler that sets a
``threading.Event`` which the main thread is about to wait for finds the event's lock held by the very code that it
interrupts, and waits for ever. And a signal that the system gives to another thread does not wake the main thread
out of a lock. So handlers do nothing here; whichever thread gets the signal, Python writes its number to a pipe.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import threading

STOPPING = frozenset({signal.SIGINT, signal.SIGTERM})


class StopSignals:
    """From when it is made, signals that would end the process are told by :meth:`wait` instead.

    Elsewhere than in the main thread, to which Python gives signals, there are none to be told of.
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
        """Whether one has come, after ``timeout`` seconds at most."""
        while not self._came:
            ready, _, _ = select.select([self._reader], [], [], timeout)
            if ready:
                self._came = not STOPPING.isdisjoint(os.read(self._reader, 4096))
            elif timeout is not None:
                break
        return self._came

    def close(self) -> None:
        """Have signals do what they did before."""
        self._restore.close()

    def __enter__(self) -> StopSignals:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
