"""The robot of bench/upstream_ours.py with the modules of upstream dimos."""

from __future__ import annotations

import threading

from dimos.core.coordination.blueprints import autoconnect
from dimos.core.core import rpc
from dimos.core.module import Module
from dimos.core.stream import In, Out
from dimos.msgs.std_msgs.String import String

from bench.events import tell
from bench.traffic import durations


class Source(Module):
    """A module that publishes a number ten times a second and answers calls."""

    ticks: Out[String]
    number = 0

    @rpc
    def start(self) -> None:
        super().start()
        self._ended = threading.Event()
        threading.Thread(target=self._publish, daemon=True).start()

    @rpc
    def stop(self) -> None:
        self._ended.set()
        super().stop()

    @rpc
    def ping(self) -> int:
        """Return the last number."""
        return self.number

    def _publish(self) -> None:
        while not self._ended.wait(0.1):
            self.number += 1
            self.ticks.publish(String(str(self.number)))


class Sink(Module):
    """A module that reports when it first hears the source, and calls the source."""

    ticks: In[String]
    source: Source
    heard = False

    async def handle_ticks(self, message: String) -> None:
        if not self.heard:
            self.heard = True
            tell("heard", self.config.instance_name)

    @rpc
    def measure(self, count: int) -> list[float]:
        """Return the milliseconds that each of ``count`` calls took."""
        return durations(self.source.ping, count)


robot = autoconnect(Source.blueprint(), Sink.blueprint())
