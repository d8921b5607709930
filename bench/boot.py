"""Boot of a fleet: the time until every module is active, and until every robot's data flows."""

from __future__ import annotations

import math
import time

from bench.domain import own_domain
from bench.events import Events, listen
from bench.figures import Goal, Result
from bench.fleet import FleetCommand
from bench.processes import end
from bench.rivals import robots
from bench.scale import Scale

ACTIVE_BOUND = 60.0
"""Seconds to wait for plain processes to come up. Of 64 that start at once, some may hang."""
HEARD_BOUND = 15.0
"""Seconds to wait until plain nodes hear each other. Some never do, because discovery on one machine ends with the 32nd
process by default."""


def run(scale: Scale) -> Result:
    """Boot fleets of different sizes. Each robot is a source and a sink that hears it."""
    result = Result("boot", "Boot of a fleet", "the same nodes as one rclpy process each, all started at once")
    a_robot = {}
    for count, repeats in scale.pick(((2, 7), (8, 5), (16, 2), (32, 2)), ((2, 2), (8, 2)), ((1, 1),)):
        ours_active, ours_heard, rival_active, rival_heard = [], [], [], []
        for _ in range(repeats):
            with own_domain(), listen() as events:
                active, heard = _ours(count, events)
                ours_active.append(active)
                ours_heard.append(heard)
                events.forget()
                active, heard = _rival(count, events)
                rival_active.append(active)
                rival_heard.append(heard)
        goals = (Goal("ratio", 0.5),) if count == 8 else ()
        row = result.add(f"{_robots(count)}, all active", "ms", ours_active, rival_active, *goals)
        a_robot[count] = row.ours.median / count
        result.add(f"{_robots(count)}, all data flows", "ms", ours_heard, rival_heard)
    if 32 in a_robot:
        grown = a_robot[32] / a_robot[8]
        result.add("time a robot, of 32 robots to of 8", "x", [grown], None, Goal("value", 1.0))
    if 32 in a_robot:
        result.notes.append(
            "Of 64 plain processes, some never hear each other, because discovery ends with the 32nd. Some may not "
            f"come up. What was not there after {ACTIVE_BOUND:.0f} s is not counted."
        )
    result.notes.append("Ours is the time until the coordinator has counted all modules and says that they are up.")
    return result


def _robots(count: int) -> str:
    return f"{count} robot{'s' if count > 1 else ''} of 2 modules"


def _ours(count: int, events: Events) -> tuple[float, float]:
    with FleetCommand("bench.modules:robot", count) as fleet:
        active = fleet.wait_until_up()
        heard = max(events.wait("heard", count).values()) - fleet.started
        return active * 1e3, heard * 1e3


def _rival(count: int, events: Events) -> tuple[float, float]:
    started = time.monotonic()
    running = robots(count, "source", "sink")
    try:
        active = _last(events, "active", 2 * count, ACTIVE_BOUND) - started
        heard = _last(events, "heard", count, HEARD_BOUND) - started
    finally:
        end([rival.process for rival in running])
    return active * 1e3, heard * 1e3


def _last(events: Events, event: str, count: int, bound: float) -> float:
    """Return when the last of ``count`` nodes reported an event, or NaN if some never did."""
    try:
        return max(events.wait(event, count, bound).values())
    except TimeoutError:
        return math.nan
