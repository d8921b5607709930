"""Shutdown of a fleet: the time from an interrupt until every process is gone."""

from __future__ import annotations

from bench.domain import own_domain
from bench.events import listen
from bench.figures import Goal, Result
from bench.fleet import FleetCommand
from bench.processes import end, is_running, with_descendants
from bench.rivals import robots
from bench.scale import Scale


def run(scale: Scale) -> Result:
    """Shut down eight robots of two modules."""
    count = scale.pick(8, 8, 1)
    result = Result("shutdown", "Shutdown of a fleet", "SIGINT to one rclpy process a node")
    ours, rival = [], []
    left = 0
    for _ in range(scale.pick(7, 2, 1)):
        with own_domain(), listen() as events:
            with FleetCommand("bench.modules:robot", count) as fleet:
                fleet.wait_until_up()
                events.wait("heard", count)
                pids = with_descendants(fleet.pid)
                ours.append(fleet.end() * 1e3)
                left += sum(is_running(pid) for pid in pids)
            events.forget()
            running = robots(count, "source", "sink")
            events.wait("heard", count)
            rival.append(end([each.process for each in running]) * 1e3)
    result.add(f"{count} robot{'s' if count > 1 else ''} of 2 modules", "ms", ours, rival, Goal("value", 1000.0))
    if left:
        result.notes.append(f"{left} processes were still running afterwards.")
    result.notes.append("Ours deactivates and cleans up every module, consumers before providers.")
    return result
