"""A robot of two modules: one publishes, the other hears and calls it. bench/upstream_theirs.py is its twin."""

from __future__ import annotations

from typing import Any

from std_msgs.msg import String

from bench.events import tell
from bench.traffic import durations
from dimos_ros import In, Module, Out, autoconnect, rpc


class Source(Module):
    """A module that publishes a number ten times a second and answers calls."""

    ticks: Out[String]
    number = 0

    def on_activate(self, state: Any) -> None:
        self.timer = self.create_timer(0.1, self.tick)

    def on_deactivate(self, state: Any) -> None:
        self.destroy_timer(self.timer)

    def tick(self) -> None:
        self.number += 1
        self.ticks.publish(String(data=str(self.number)))

    @rpc
    def ping(self) -> int:
        """Return the last number."""
        return self.number


class FarSource(Source):
    """A source in a container of its own."""

    dedicated = True


class Sink(Module):
    """A module that reports when it first hears the source, and calls the source."""

    ticks: In[String]
    source: Source
    heard = False

    def handle_ticks(self, message: String) -> None:
        if not self.heard:
            self.heard = True
            tell("heard", self.get_fully_qualified_name())

    @rpc
    def measure(self, count: int) -> list[float]:
        """Return the milliseconds that each of ``count`` calls took."""
        return durations(self.source.ping, count)


robot = autoconnect(Source.blueprint(), Sink.blueprint())
far_robot = autoconnect(FarSource.blueprint(), Sink.blueprint())
