"""Memory of one more robot, and of one more module in a container. Shared pages count once (PSS)."""

from __future__ import annotations

import time

from bench.domain import own_domain
from bench.events import listen
from bench.figures import Goal, Result
from bench.fleet import FleetCommand
from bench.processes import end, memory, with_descendants
from bench.rivals import robots
from bench.scale import Scale

SETTLE_SECONDS = 2.0


def run(scale: Scale) -> Result:
    """Measure idle robots of two modules, and a container of idle modules."""
    result = Result("memory", "Memory", "one rclpy process a node")
    few, many = scale.pick((2, 8), (2, 6), (1, 2))
    repeats = scale.pick(3, 1, 1)
    ours, rival, modules, base = [], [], [], []
    for _ in range(repeats):
        small, large = (_fleet("bench.modules:idle_robot", count, 2 * count) for count in (few, many))
        ours.append((large - small) / (many - few))
        base.append(small - few * ours[-1])
        small, large = (_rivals(count) for count in (few, many))
        rival.append((large - small) / (many - few))
        few_modules, many_modules = scale.pick((2, 22), (2, 22), (1, 2))
        small, large = (_fleet("bench.modules:crowd", 0, count, count=count) for count in (few_modules, many_modules))
        modules.append((large - small) / (many_modules - few_modules))
    result.add("one more robot of 2 modules", "MB", ours, rival, Goal("ratio", 1 / 3))
    result.add("one more module in a container", "MB", modules, [each / 2 for each in rival], Goal("value", 2.0))
    result.add("coordinator, fork server and spare process", "MB", base)
    result.notes.append(
        f"The memory of a robot is the difference between {many} robots and {few}, divided by {many - few}."
    )
    return result


def _fleet(blueprint: str, count: int, modules: int, /, **arguments: int) -> float:
    given = {f"arguments.{name}": value for name, value in arguments.items()}
    with own_domain(), listen() as events, FleetCommand(blueprint, count, **given) as fleet:
        fleet.wait_until_up()
        events.wait("active", modules)
        time.sleep(SETTLE_SECONDS)
        return memory(with_descendants(fleet.pid))


def _rivals(count: int) -> float:
    with own_domain(), listen() as events:
        running = robots(count, "idle", "idle")
        try:
            # The two idle nodes of a robot have the same name, and so count as one.
            events.wait("active", count)
            time.sleep(SETTLE_SECONDS)
            return memory([rival.pid for rival in running])
        finally:
            end([rival.process for rival in running])
