"""Processor time of a fleet that has nothing to do."""

from __future__ import annotations

import time

from bench.domain import own_domain
from bench.events import listen
from bench.figures import Goal, Result
from bench.fleet import FleetCommand
from bench.processes import end, processor_time, with_descendants
from bench.rivals import robots
from bench.scale import Scale

SETTLE_SECONDS = 5.0


def run(scale: Scale) -> Result:
    """Measure eight containers of two modules, and as many plain nodes."""
    count = scale.pick(8, 8, 1)
    seconds = scale.pick(12.0, 4.0, 1.0)
    settle = scale.pick(SETTLE_SECONDS, 3.0, 0.1)
    result = Result("idle", "Idle fleet", f"{2 * count} idle rclpy processes")
    ours, rival = [], []
    for _ in range(scale.pick(2, 1, 1)):
        with own_domain(), listen() as events, FleetCommand("bench.modules:idle_robot", count) as fleet:
            fleet.wait_until_up()
            events.wait("active", 2 * count)
            time.sleep(settle)
            ours.append(_share(with_descendants(fleet.pid), seconds))
        with own_domain(), listen() as events:
            running = robots(count, "idle", "idle")
            try:
                events.wait("active", count)
                time.sleep(settle)
                rival.append(_share([each.pid for each in running], seconds))
            finally:
                end([each.process for each in running])
    what = f"coordinator and {count} container{'s' if count > 1 else ''} of 2 modules"
    result.add(what, "% of a core", ours, rival, Goal("value", 1.0), Goal("ratio", 1.0))
    return result


def _share(pids: list[int], seconds: float) -> float:
    """Measure processes for some seconds, in percent of a core. A process that ends meanwhile does not count."""
    before, started = {pid: processor_time([pid]) for pid in pids}, time.monotonic()
    time.sleep(seconds)
    spent = sum(after - before[pid] for pid in pids if (after := processor_time([pid])) > 0)
    return 100 * spent / (time.monotonic() - started)
