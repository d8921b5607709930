"""What nodes in other processes tell of themselves: names and times, through a socket that costs them little."""

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
"""Seconds after which what did not happen is an error."""


def tell(event: str, name: str) -> None:
    """Tell whoever measures, if anybody does, that something happened now."""
    path = os.environ.get(VARIABLE, "")
    if path:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel, contextlib.suppress(OSError):
            channel.sendto(f"{event} {name} {time.monotonic_ns()}".encode(), path)


class Events:
    """The receiving end. It reads all the time: a socket that is full keeps the senders waiting."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self._seen: dict[str, dict[str, float]] = {}
        self._changed = threading.Condition()
        threading.Thread(target=self._read, daemon=True).start()

    def wait(self, event: str, count: int, bound: float = BOUND) -> dict[str, float]:
        """Once ``count`` names have told of ``event``: when each did first, in seconds of the monotonic clock.

        Raises TimeoutError.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: len(self._seen.get(event, ())) >= count, bound):
                got = sorted(self._seen.get(event, ()))
                raise TimeoutError(f"{event}: only {len(got)} of {count} within {bound:g} s: {got}")
            return dict(self._seen[event])

    def forget(self) -> None:
        """Begin anew; whoever told something before has ended."""
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
    """Hear what the processes tell that are started within this."""
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
