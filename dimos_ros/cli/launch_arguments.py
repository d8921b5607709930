"""The arguments of multi_robot.launch.py, and the parameters of the coordinator that they become.

They are not in the launch file, so that they can be tested where launch is not installed.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from dimos_ros.blueprint.source import FIELDS
from dimos_ros.blueprint.source_text import read_field, read_flag
from dimos_ros.coordinator.from_ros_parameters import PARAMETERS

SETTINGS = ("fail_fast",)
"""Settings of the coordinator that the launch file takes in addition to the source."""

DEFAULTS = {
    "robots": "robot1,robot2",
    "blueprint": "dimos_ros.demo.multi_robot:fleet",
    "log_level": "info",
}
"""Defaults that only the launch file has: two robots of the demo."""

OF_A_CONFIG = ("robots", "blueprint")
"""Arguments without a default if a fleet file is given, because the file names its own robots."""


@dataclass(frozen=True)
class LaunchArgument:
    """Argument of the launch file. Launch takes only text."""

    name: str
    default: str
    description: str


def _argument(name: str) -> LaunchArgument:
    default, help = PARAMETERS[name]
    text = str(default).lower() if isinstance(default, bool) else str(default)
    note = " The default is not used with a fleet file." if name in OF_A_CONFIG else ""
    return LaunchArgument(name, DEFAULTS.get(name, text), f"{help}{note}")


ARGUMENTS = tuple(map(_argument, (*(row.name for row in FIELDS), *SETTINGS)))


def coordinator_parameters(values: Mapping[str, str], given: Collection[str]) -> dict[str, Any]:
    """Return the coordinator's ROS parameters for the values of launch arguments.

    ``given`` names the arguments that the user has set. Raises BlueprintError for text that an argument does not take.
    """
    rows = {row.name: row for row in FIELDS}
    parameters: dict[str, Any] = {}
    for argument in ARGUMENTS:
        text = values[argument.name].strip()
        left_out = values["config"].strip() and argument.name in OF_A_CONFIG and argument.name not in given
        if not text or left_out:
            continue
        row = rows.get(argument.name)
        value = read_field(row, text) if row else read_flag(text, argument.name)
        # A mapping stays text, because a ROS parameter cannot hold every value of a mapping.
        parameters[argument.name] = value if isinstance(value, bool) else text
    return parameters
