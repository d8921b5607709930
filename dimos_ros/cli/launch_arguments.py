"""The arguments of multi_robot.launch.py and what they are as parameters of the coordinator.

Here rather than in the launch file, as they can be checked where launch is not installed.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from dimos_ros.blueprint.source import FIELDS
from dimos_ros.blueprint.source_text import read_field, read_flag
from dimos_ros.coordinator.from_ros_parameters import PARAMETERS

SETTINGS = ("fail_fast",)
"""The coordinator's settings that the launch file has besides the source."""

DEFAULTS = {
    "robots": "robot1,robot2",
    "blueprint": "dimos_ros.demo.multi_robot:fleet",
    "log_level": "info",
}
"""Defaults of the launch file's own: two robots of the demo."""

OF_A_CONFIG = ("robots", "blueprint")
"""Arguments whose defaults do not apply where a fleet file is given, which has its own robots."""


@dataclass(frozen=True)
class LaunchArgument:
    """One argument; launch gives and takes text only."""

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
    """The coordinator's ROS parameters for launch arguments.

    ``given`` names those that were not left at their defaults. Raises BlueprintError for text that is not
    what the argument takes.
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
        # A mapping is sent as the text that it was: a ROS parameter cannot hold every value that it may have.
        parameters[argument.name] = value if isinstance(value, bool) else text
    return parameters
