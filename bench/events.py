"""Events that nodes in other processes report: a name and a time, through a socket that costs the nodes little."""

from __future__ import annotations

import contextlib
import os
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

VARIABLE = "BENCH_EVENTS"
BOUND = 120.0
"""Seconds to wait for an event before its absence is an error."""


def tell(event: str, name: str) -> None:
    """Report that an event happens now, if a benchmark listens."""
    path = os.environ.get(VARIABLE, "")
    if path:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel, contextlib.suppress(OSError):
            channel.sendto(f"{event} {name} {time.monotonic_ns()}".encode(), path)


class Events:
    """The receiving end of the socket. It reads all the time, because a full socket would block the senders."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self._seen: dict[str, dict[str, float]] = {}
        self._changed = threading.Condition()
        threading.Thread(target=self._read, daemon=True).start()

    def wait(self, event: str, count: int, bound: float = BOUND) -> dict[str, float]:
        """Wait until ``count`` names have reported ``event``, and return when each did so first.

        Times are seconds of the monotonic clock. Raises TimeoutError.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: len(self._seen.get(event, ())) >= count, bound):
                got = sorted(self._seen.get(event, ()))
                raise TimeoutError(f"{event}: only {len(got)} of {count} within {bound:g} s: {got}")
            return dict(self._seen[event])

    def forget(self) -> None:
        """Forget all events so far. The processes that reported them must have ended."""
        with self._changed:
            self._seen.clear()

    def _read(self) -> None:
        while message := self._channel.recv(4096):
            kind, name, at = message.decode().split()
            with self._changed:
                self._seen.setdefault(kind, {}).setdefault(name, int(at) / 1e9)
                self._changed.notify_all()


@contextlib.contextmanager
def listen() -> Iterator[Events]:
    """Receive the events of processes that are started inside the ``with`` block."""
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        path = str(Path(folder) / "events")
        channel.bind(path)
        os.environ[VARIABLE] = path
        try:
            yield Events(channel)
        finally:
            os.environ.pop(VARIABLE, None)
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as end:
                end.sendto(b"", path)
