"""Upstream dimos from PyPI, the nearest system that does this job, if it is installed."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import subprocess
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from bench.coordinator import running
from bench.domain import own_domain
from bench.events import listen
from bench.figures import Goal, Result
from bench.fleet import FleetCommand
from bench.processes import memory, python, with_descendants
from bench.rivals import ANSWER
from bench.scale import Scale
from bench.upstream_ours import Sink, Source, far_robot, robot
from dimos_ros import Blueprint, autoconnect

ROBOTS = 2
SETTLE_SECONDS = 1.0
PAUSE = 0.5
"""Seconds between restarts."""
AHEAD = Goal("ratio", 1.0)

NOTES = (
    "Upstream's robots have namespaces, too. They use its default transport, zenoh on the loopback interface.",
    "Upstream has two workers for sources and sinks. Ours has a container for each robot, and for calls one more for "
    "each source.",
    "At a restart, both read the source code again, in a fresh process.",
    "Upstream would raise the limit of locked memory for its shared memory. The benchmark leaves the system's limit as "
    "it is.",
)

T = TypeVar("T")


def run(scale: Scale) -> Result:
    """Measure boot, restart, call and memory of two robots of two modules."""
    result = Result("upstream", "Upstream dimos", "dimos from PyPI")
    if importlib.util.find_spec("dimos") is None:
        result.notes.append("Not measured: dimos is not installed (pip install dimos).")
        return result
    result.rival = f"dimos {importlib.metadata.version('dimos')} from PyPI"
    _boot(result, scale.pick(5, 3, 1))
    _restart(result, scale.pick(10, 4, 1))
    _call(result, *scale.pick((8, 500), (4, 200), (1, 20)))
    result.notes += NOTES
    return result


class Upstream(FleetCommand):
    """The same robots, made with upstream, in a process of bench/upstream_robots.py."""

    def __init__(self) -> None:
        self.started = time.monotonic()
        self.process = python("-m", "bench.upstream_robots", str(ROBOTS), quiet=False, stderr=subprocess.STDOUT)
        self._ended = False

    def ask(self, *command: Any) -> Any:
        """Send a command and return its answer. Raises RuntimeError with the last output if the process ended."""
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()
        said = ""
        for line in self.process.stdout:
            if line.startswith(ANSWER):
                return json.loads(line.removeprefix(ANSWER))
            said = line.strip() or said
        raise RuntimeError(said)


class Trial:
    """A series of requests to upstream, which ends with the first failure."""

    def __init__(self) -> None:
        self.error = ""

    def __call__(self, act: Callable[..., T], *arguments: Any) -> T | None:
        """Return what ``act`` returns, or None if upstream failed."""
        if self.error:
            return None
        try:
            return act(*arguments)
        except (RuntimeError, TimeoutError, OSError) as error:
            self.error = str(error).strip().rpartition("\n")[2]
            return None

    def add(self, result: Result, what: str, unit: str, ours: Sequence[float], theirs: Sequence[float]) -> None:
        """Add a quantity. If upstream failed, add its error instead of its samples."""
        if self.error:
            result.notes.append(f"Upstream failed at {what!r}: {self.error}")
            result.add(what, unit, ours, [])
        else:
            result.add(what, unit, ours, theirs, AHEAD)


def _boot(result: Result, rounds: int) -> None:
    trial, ours, theirs = Trial(), [], []
    for _ in range(rounds):
        with own_domain():
            ours.append(_up(lambda: FleetCommand("bench.upstream_ours:robot", ROBOTS)))
        theirs.append(trial(_up, Upstream))
    quantities = ("boot, all active", "ms"), ("boot, all data flows", "ms"), ("memory of all processes", "MB")
    for number, (what, unit) in enumerate(quantities):
        measured = [each[number] for each in theirs if each is not None]
        trial.add(result, what, unit, [each[number] for each in ours], measured)


def _up(start: Callable[[], FleetCommand]) -> tuple[float, float, float]:
    """Return the milliseconds until all are active and until all data flows, and the memory in MB."""
    with listen() as events, start() as fleet:
        active = fleet.wait_until_up()
        heard = max(events.wait("heard", ROBOTS).values()) - fleet.started
        time.sleep(SETTLE_SECONDS)
        return active * 1e3, heard * 1e3, memory(with_descendants(fleet.pid))


def _restart(result: Result, rounds: int) -> None:
    trial, ours, theirs = Trial(), [], []
    with own_domain(), running(_robots(robot)) as coordinator, Upstream() as upstream:
        trial(upstream.wait_until_up)
        sink = coordinator.get_instance(Sink, namespace="robot1")
        for _ in range(rounds):
            time.sleep(PAUSE)
            before = time.perf_counter()
            coordinator.restart_module(Source, "robot1")
            ours.append((time.perf_counter() - before) * 1e3)
            sink.measure(1)
            time.sleep(PAUSE)
            theirs.append(trial(upstream.ask, "restart", "robot1/source"))
            trial(upstream.ask, "measure", "robot1/sink", 1)
    trial.add(result, "restart of one module", "ms", ours, [each * 1e3 for each in theirs if each is not None])


def _call(result: Result, rounds: int, count: int) -> None:
    trial, ours, theirs = Trial(), [], []
    with own_domain(), running(_robots(far_robot)) as coordinator, Upstream() as upstream:
        trial(upstream.wait_until_up)
        sink = coordinator.get_instance(Sink, namespace="robot1")
        for _ in range(rounds):
            sink.measure(20)
            ours += sink.measure.within(120.0)(count)
            trial(upstream.ask, "measure", "robot1/sink", 20)
            theirs += trial(upstream.ask, "measure", "robot1/sink", count) or []
    trial.add(result, "call, two processes", "ms", ours, theirs)


def _robots(one: Blueprint) -> Blueprint:
    return autoconnect(*(one.namespace(f"robot{number + 1}") for number in range(ROBOTS)))
