"""The demo: robots map MIT's Infinite Corridor together, from a real laser log that they share out.

python -m dimos_ros.demo.multi_robot
ros2 launch dimos_ros multi_robot.launch.py robots:=alice,bob,carol
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from dimos_ros import Blueprint, autoconnect
from dimos_ros.demo.fleet_map import FleetMap
from dimos_ros.demo.mapper import Mapper
from dimos_ros.demo.scan_replay import ScanReplay

EXPOSED = ("map", "path", "diagnostics")
"""Topics that leave a robot's namespace: its map, where it has been, and how far it is."""

RATE = 200.0
"""Times real time: the log's two hours, shared by two robots, in some twenty seconds."""


def robot(part: int = 1, parts: int = 1, rate: float = RATE, resolution: float = 0.1, limit: int = 0) -> Blueprint:
    """One robot, which replays stretch ``part`` of ``parts`` of the log and maps it."""
    return autoconnect(
        ScanReplay.blueprint(part=part, parts=parts, rate=rate, limit=limit),
        Mapper.blueprint(resolution=resolution),
    )


def fleet(
    robots: Sequence[str] = ("robot1", "robot2"),
    rate: float = RATE,
    resolution: float = 0.1,
    limit: int = 0,
    output: str = ".",
    stay: bool = False,
) -> Blueprint:
    """Robots that share out the log, and the map of them all.

    ``rate`` is in times real time, 0 for as fast as possible; ``resolution`` in metres a cell; ``limit`` keeps
    to the first scans of the log. Pictures go to the folder ``output``; ``stay`` keeps the fleet up afterwards.
    """
    members = [
        robot(part, len(robots), rate, resolution, limit).namespace(name, expose=EXPOSED)
        for part, name in enumerate(robots, start=1)
    ]
    return autoconnect(
        *members, FleetMap.blueprint(robots=list(robots), resolution=resolution, output=output, stay=stay)
    )


def main() -> int:
    """The executable ``coordinator`` with this demo as its blueprint; arguments are ROS arguments."""
    from dimos_ros.coordinator.main import main as coordinator

    demo = ["--ros-args", "-p", "blueprint:=dimos_ros.demo.multi_robot:fleet", "--"]
    return coordinator([*demo, *sys.argv[1:]])


if __name__ == "__main__":
    sys.exit(main())
