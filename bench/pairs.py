"""A sender and a receiver in two processes: modules, or plain nodes."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import Any, Protocol

from bench.events import BOUND
from bench.rivals import Rival
from dimos_ros import ModuleCoordinator

QUIET_SECONDS = 0.3
"""Seconds to wait for one more message after the last one arrived."""


class Pair(Protocol):
    """A sender and a receiver that the benchmark controls."""

    def send(self, count: int, hertz: float) -> dict[str, float]: ...
    def begin(self) -> None: ...
    def result(self) -> dict[str, Any]: ...
    def matched(self) -> int: ...


class Modules:
    """A sender and a receiver of a running fleet."""

    def __init__(self, coordinator: ModuleCoordinator, sender: type, receiver: type) -> None:
        sends, receives = coordinator.get_instance(sender), coordinator.get_instance(receiver)
        self.send = sends.send.within(BOUND)
        self.matched = sends.matched
        self.begin = receives.begin
        self.result = receives.result.within(BOUND)


class PlainNodes:
    """A sender and a receiver as plain rclpy nodes."""

    def __init__(self, sender: Rival, receiver: Rival) -> None:
        self._sender, self._receiver = sender, receiver

    def send(self, count: int, hertz: float) -> dict[str, float]:
        return dict(self._sender.ask("send", count, hertz))

    def begin(self) -> None:
        self._receiver.ask("begin")

    def result(self) -> dict[str, Any]:
        return dict(self._receiver.ask("result"))

    def matched(self) -> int:
        return int(self._sender.ask("matched"))


@contextlib.contextmanager
def plain_nodes(namespace: str, *arguments: str) -> Iterator[PlainNodes]:
    """Run a plain sender and a plain receiver. ``arguments`` are those of bench/rival.py."""
    with Rival("receiver", namespace, *arguments) as receiver, Rival("sender", namespace, *arguments) as sender:
        yield PlainNodes(sender, receiver)


def measure(pair: Pair, count: int, hertz: float) -> dict[str, Any]:
    """Send messages, wait until no more arrive, and return what the receiver noted.

    ``processor`` is the milliseconds that both processes used for each message. ``rate`` is how many messages arrived
    in a second, from the sending of the first one until the last one was sent or arrived. Raises TimeoutError.
    """
    deadline = time.monotonic() + BOUND
    while not pair.matched():
        if time.monotonic() > deadline:
            raise TimeoutError("the sender and the receiver do not find each other")
        time.sleep(0.01)
    pair.begin()
    sent = pair.send(count, hertz)
    while True:
        arrived = pair.result()
        time.sleep(QUIET_SECONDS)
        later = pair.result()
        if later["count"] >= count or later["count"] == arrived["count"]:
            break
    both = sent["processor"] + arrived["processor"]
    later["processor"] = 1e3 * both / max(later["count"], 1)
    seconds = (max(sent["ended"], later["last_came"]) - later["first_sent"]) / 1e9
    later["rate"] = later["count"] / seconds if later["count"] else 0.0
    return later
