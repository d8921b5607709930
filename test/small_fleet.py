"""A small fleet for tests of the command line and of launch: each robot has a beacon and a listener."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from std_msgs.msg import Int64

from dimos_ros import Blueprint, In, Module, Out, autoconnect, param, rpc


class Beacon(Module):
    """Sends numbers."""

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
        """How many numbers were sent."""
        return self._sent


class Listener(Module):
    """Hears numbers."""

    number: In[Int64]
    beacon: Beacon

    _heard = 0

    def handle_number(self, message: Int64) -> None:
        self._heard = message.data

    @rpc
    def heard(self) -> int:
        """The last number that was heard."""
        return self._heard

    @rpc
    def add(self, a: int, b: int = 0) -> int:
        """The sum."""
        return a + b

    @rpc
    def fail(self) -> None:
        """Raises."""
        raise ValueError("not today")


class Slow(Module):
    """Takes its time to be configured."""

    seconds: float = 8.0

    def on_configure(self, state: Any) -> None:
        time.sleep(self.seconds)


robot = autoconnect(Beacon.blueprint(), Listener.blueprint())


def fleet(robots: Sequence[str] = ("robot1", "robot2"), period: float = 0.02) -> Blueprint:
    """Two robots, unless others are named."""
    one = autoconnect(Beacon.blueprint(period=period), Listener.blueprint())
    return autoconnect(*(one.namespace(name) for name in robots))
