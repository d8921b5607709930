"""A robot of two modules: one publishes, the other hears and calls it. bench/upstream_theirs.py is the same there."""

from __future__ import annotations

from typing import Any

from std_msgs.msg import String

from bench.events import tell
from bench.traffic import durations
from dimos_ros import In, Module, Out, autoconnect, rpc


class Source(Module):
    """Publishes a number ten times a second and answers calls."""

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
        """The last number."""
        return self.number


class FarSource(Source):
    """In a container of its own."""

    dedicated = True


class Sink(Module):
    """Says when it hears the source for the first time, and calls it."""

    ticks: In[String]
    source: Source
    heard = False

    def handle_ticks(self, message: String) -> None:
        if not self.heard:
            self.heard = True
            tell("heard", self.get_fully_qualified_name())

    @rpc
    def measure(self, count: int) -> list[float]:
        """Milliseconds that each of ``count`` calls took."""
        return durations(self.source.ping, count)


robot = autoconnect(Source.blueprint(), Sink.blueprint())
far_robot = autoconnect(FarSource.blueprint(), Sink.blueprint())
