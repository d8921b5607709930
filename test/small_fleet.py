"""A small fleet for tests of the command line and of launch: each robot has a beacon and a listener."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from std_msgs.msg import Int64

from dimos_ros import Blueprint, In, Module, Out, autoconnect, param, rpc


class Beacon(Module):
    """Publisher of numbers."""

    number: Out[Int64]
    period: float = param(0.02, minimum=0.001, description="seconds between two numbers")

    def on_activate(self, state: Any) -> Any:
        self._sent = 0
        self._timer = self.create_timer(self.period, self._send)
        return super().on_activate(state)

    def on_deactivate(self, state: Any) -> Any:
        self.destroy_timer(self._timer)
        return super().on_deactivate(state)

    def _send(self) -> None:
        self._sent += 1
        self.number.publish(Int64(data=self._sent))

    @rpc
    def sent(self) -> int:
        """Return how many numbers were sent."""
        return self._sent


class Listener(Module):
    """Subscriber of numbers."""

    number: In[Int64]
    beacon: Beacon

    _heard = 0

    def handle_number(self, message: Int64) -> None:
        self._heard = message.data

    @rpc
    def heard(self) -> int:
        """Return the last number that arrived."""
        return self._heard

    @rpc
    def add(self, a: int, b: int = 0) -> int:
        """Return the sum."""
        return a + b

    @rpc
    def fail(self) -> None:
        """Raise an error."""
        raise ValueError("not today")


class Slow(Module):
    """Module that takes long to be configured."""

    seconds: float = 8.0

    def on_configure(self, state: Any) -> None:
        time.sleep(self.seconds)


robot = autoconnect(Beacon.blueprint(), Listener.blueprint())


def fleet(robots: Sequence[str] = ("robot1", "robot2"), period: float = 0.02) -> Blueprint:
    """Return a fleet of these robots, by default of two."""
    one = autoconnect(Beacon.blueprint(period=period), Listener.blueprint())
    return autoconnect(*(one.namespace(name) for name in robots))
