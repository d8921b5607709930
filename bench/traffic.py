"""Messages and calls, and their times. Ours and the rivals run this same code."""

from __future__ import annotations

import array
import time
from collections.abc import Callable
from typing import Any

SMALL_BYTES = 50
BEAMS = 720
SIZES = {"vga": (480, 640, 3), "hd": (1080, 1920, 3)}
"""Images: 0.9 MB and 6.2 MB."""


def message_of(kind: str) -> Any:
    """Make a message of a kind: text, scan, vga or hd."""
    if kind == "text":
        from std_msgs.msg import String

        return String()
    if kind == "scan":
        from sensor_msgs.msg import LaserScan

        return LaserScan(ranges=array.array("f", [1.0] * BEAMS), intensities=array.array("f", [0.5] * BEAMS))
    from sensor_msgs.msg import Image

    height, width, channels = SIZES[kind]
    data = array.array("B", bytes(height * width * channels))
    return Image(height=height, width=width, step=width * channels, encoding="rgb8", data=data)


def stamp(kind: str, message: Any) -> None:
    """Write the current time into a message."""
    now = time.monotonic_ns()
    if kind == "text":
        message.data = f"{now:0{SMALL_BYTES}d}"
    else:
        message.header.stamp.sec, message.header.stamp.nanosec = divmod(now, 10**9)


def stamp_of(kind: str, message: Any) -> int:
    """Return when a message was sent, in ns of the monotonic clock."""
    if kind == "text":
        return int(message.data)
    return int(message.header.stamp.sec) * 10**9 + int(message.header.stamp.nanosec)


def durations(call: Callable[[], object], count: int) -> list[float]:
    """Return the milliseconds that each of ``count`` calls took, one after the other."""
    taken = []
    for _ in range(count):
        before = time.perf_counter()
        call()
        taken.append((time.perf_counter() - before) * 1e3)
    return taken


class Arrivals:
    """The times of the messages that arrive at a subscriber."""

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self.begin()

    def begin(self) -> None:
        """Forget all messages so far."""
        self._sent: list[int] = []
        self._came: list[int] = []
        self._processor = time.process_time()

    def note(self, message: Any) -> None:
        """Note that a message has arrived."""
        now = time.monotonic_ns()
        self._sent.append(stamp_of(self._kind, message))
        self._came.append(now)

    def result(self) -> dict[str, Any]:
        """Return latencies in ms, when the first was sent and the last came in ns, and processor time in s."""
        sent, came = list(self._sent), list(self._came)
        return {
            "count": len(came),
            "latencies": [(b - a) / 1e6 for a, b in zip(sent, came, strict=False)],
            "first_sent": sent[0] if sent else 0,
            "last_came": came[-1] if came else 0,
            "processor": time.process_time() - self._processor,
        }


class Departures:
    """A sender of messages of one kind, by a node's timer or one after the other."""

    def __init__(self, kind: str, node: Any, publish: Callable[[Any], None]) -> None:
        self._kind = kind
        self._node = node
        self._publish = publish
        self._message = message_of(kind)
        self._timer: Any = None
        self._left = 0

    def send(self, count: int, hertz: float) -> dict[str, float]:
        """Send messages. Return the processor time that the process took, in s, and when it sent the last, in ns."""
        before = time.process_time()
        if hertz:
            self._left = count
            self._timer = self._node.create_timer(1 / hertz, self._tick)
            while self._left > 0:
                time.sleep(0.01)
            self._node.destroy_timer(self._timer)
        else:
            for _ in range(count):
                self._one()
        return {"processor": time.process_time() - before, "ended": time.monotonic_ns()}

    def _tick(self) -> None:
        if self._left > 0:
            self._one()
            self._left -= 1

    def _one(self) -> None:
        stamp(self._kind, self._message)
        self._publish(self._message)
