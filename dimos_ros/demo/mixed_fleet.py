"""Blueprints of two kinds of robots, which share some modules and differ in others.

``config/mixed_fleet.yaml`` makes a fleet of them:

ros2 launch dimos_ros multi_robot.launch.py config:=$(ros2 pkg prefix --share dimos_ros)/config/mixed_fleet.yaml
"""

from __future__ import annotations

from collections.abc import Sequence

from dimos_ros import Blueprint, autoconnect
from dimos_ros.demo.arm import Arm
from dimos_ros.demo.beam_thinner import BeamThinner
from dimos_ros.demo.fleet_map import FleetMap
from dimos_ros.demo.multi_robot import RATE, robot
from dimos_ros.demo.scan_replay import ScanReplay


def scout(part: int = 1, parts: int = 1, rate: float = RATE) -> Blueprint:
    """Make a robot that maps its stretch of the log with all beams of its laser."""
    return robot(part, parts, rate)


def rover(part: int = 1, parts: int = 1, rate: float = RATE) -> Blueprint:
    """Make a robot with an arm, which maps its stretch with only some of the beams."""
    driving = robot(part, parts, rate).remappings([(ScanReplay, "scan", "scan_full")])
    return autoconnect(driving, BeamThinner.blueprint(), Arm.blueprint())


def overview(robots: Sequence[str], output: str = ".", stay: bool = False) -> Blueprint:
    """Make the module outside the robots, which merges the maps of all robots."""
    return FleetMap.blueprint(robots=list(robots), output=output, stay=stay)
