"""The demo: robots share out a real laser log, and together map MIT's Infinite Corridor.

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
"""Topics that leave a robot's namespace: its map, its path and its progress."""

RATE = 200.0
"""Replay speed in times real time. Two robots replay the log's two hours in some twenty seconds."""


def robot(part: int = 1, parts: int = 1, rate: float = RATE, resolution: float = 0.1, limit: int = 0) -> Blueprint:
    """Make a robot that replays and maps stretch ``part`` of ``parts`` of the log."""
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
    """Make robots that share out the log, and the module that merges their maps.

    ``rate`` is in times real time, or 0 for as fast as possible. ``resolution`` is in metres per cell. ``limit`` is how
    many scans of the log are used, or 0 for all. The pictures go to the folder ``output``. ``stay`` keeps the fleet
    running afterwards.
    """
    members = [
        robot(part, len(robots), rate, resolution, limit).namespace(name, expose=EXPOSED)
        for part, name in enumerate(robots, start=1)
    ]
    return autoconnect(
        *members, FleetMap.blueprint(robots=list(robots), resolution=resolution, output=output, stay=stay)
    )


def main() -> int:
    """Run the executable ``coordinator`` with this demo as its blueprint. Its arguments are ROS arguments."""
    from dimos_ros.coordinator.main import main as coordinator

    demo = ["--ros-args", "-p", "blueprint:=dimos_ros.demo.multi_robot:fleet", "--"]
    return coordinator([*demo, *sys.argv[1:]])


if __name__ == "__main__":
    sys.exit(main())
