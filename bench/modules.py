"""Modules that the benchmarks run: what bench/rival.py does as plain rclpy nodes."""

from __future__ import annotations

import os
from typing import Any

from sensor_msgs.msg import Image, LaserScan
from std_msgs.msg import String

from bench.events import tell
from bench.traffic import Arrivals, Departures, durations
from dimos_ros import Blueprint, In, Module, Out, autoconnect, param, rpc


class Source(Module):
    """Publishes a number ten times a second."""

    ticks: Out[String]
    period: float = 0.1

    def on_activate(self, state: Any) -> None:
        self.number = 0
        self.timer = self.create_timer(self.period, self.tick)
        tell("active", self.get_fully_qualified_name())

    def on_deactivate(self, state: Any) -> None:
        self.destroy_timer(self.timer)

    def tick(self) -> None:
        self.number += 1
        self.ticks.publish(String(data=f"{os.getpid()} {self.number}"))


class Sink(Module):
    """Says when it hears the source for the first time."""

    ticks: In[String]
    heard = False

    def on_activate(self, state: Any) -> None:
        tell("active", self.get_fully_qualified_name())

    def handle_ticks(self, message: String) -> None:
        if not self.heard:
            self.heard = True
            tell("heard", self.get_fully_qualified_name())


class Idle(Module):
    """Does nothing."""

    def on_activate(self, state: Any) -> None:
        tell("active", self.get_fully_qualified_name())


class Echo(Module):
    """Answers calls."""

    count = 0

    @rpc
    def ping(self) -> int:
        """How often it was called."""
        self.count += 1
        return self.count


class Caller(Module):
    """Calls another module."""

    echo: Echo

    @rpc
    def measure(self, count: int) -> list[float]:
        """Milliseconds that each of ``count`` calls took."""
        return durations(self.echo.ping, count)


class Sender(Module):
    """Sends messages of one kind on request."""

    dedicated = True
    kind: str = param(description="of bench.traffic.message_of", read_only=True)

    def on_activate(self, state: Any) -> None:
        self.departures = Departures(self.kind, self, self.messages.publish)

    @rpc
    def send(self, count: int, hertz: float) -> dict[str, float]:
        """As :meth:`Departures.send`."""
        return self.departures.send(count, hertz)

    @rpc
    def matched(self) -> int:
        """Subscriptions that hear it."""
        return self.messages.subscription_count


class Receiver(Module):
    """Notes what comes."""

    dedicated = True
    kind: str = param(description="of bench.traffic.message_of", read_only=True)

    def on_activate(self, state: Any) -> None:
        self.arrivals = Arrivals(self.kind)

    def note(self, message: Any) -> None:
        """Handles the messages of whichever type."""
        self.arrivals.note(message)

    @rpc
    def begin(self) -> None:
        """Begin anew."""
        self.arrivals.begin()

    @rpc
    def result(self) -> dict[str, Any]:
        """As :meth:`Arrivals.result`."""
        return self.arrivals.result()


class TextSender(Sender):
    """Fifty bytes."""

    messages: Out[String]


class TextReceiver(Receiver):
    """Fifty bytes."""

    messages: In[String]
    handle_messages = Receiver.note


class ScanSender(Sender):
    """Laser scans."""

    messages: Out[LaserScan]


class ScanReceiver(Receiver):
    """Laser scans."""

    messages: In[LaserScan]
    handle_messages = Receiver.note


class ImageSender(Sender):
    """Images."""

    messages: Out[Image]


class ImageReceiver(Receiver):
    """Images."""

    messages: In[Image]
    handle_messages = Receiver.note


class BestEffortImageSender(ImageSender):
    """Images that may be lost."""

    messages: Out[Image] = Out(qos="sensor_data")


class BestEffortImageReceiver(ImageReceiver):
    """Images that may be lost."""

    messages: In[Image] = In(qos="sensor_data")


def pair(sender: type[Sender], receiver: type[Receiver], kind: str) -> Blueprint:
    """A sender and a receiver of messages of one kind."""
    return autoconnect(sender.blueprint(kind=kind), receiver.blueprint(kind=kind))


robot = autoconnect(Source.blueprint(), Sink.blueprint())
fast_robot = autoconnect(Source.blueprint(period=0.01), Sink.blueprint())
idle_robot = autoconnect(Idle.blueprint("first"), Idle.blueprint("second"))


def crowd(count: int) -> Blueprint:
    """One container of idle modules."""
    return autoconnect(*(Idle.blueprint(f"idle{number}") for number in range(int(count))))
