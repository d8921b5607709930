"""The arguments of multi_robot.launch.py and what they are as parameters of the coordinator.

Here rather than in the launch file, as they can be checked where launch is not installed.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from dimos_ros.exceptions import BlueprintError


@dataclass(frozen=True)
class LaunchArgument:
    """One argument; launch gives and takes text only."""

    name: str
    default: str
    description: str


ARGUMENTS = (
    LaunchArgument(
        "robots",
        "robot1,robot2",
        "Names of robots, separated by commas or spaces, or how many (3: robot1 to robot3). "
        "With a config: which of its robots; all of them, unless given.",
    ),
    LaunchArgument(
        "blueprint",
        "dimos_ros.demo.multi_robot:fleet",
        "What every robot is a copy of: package.module:name of a Blueprint, of a Module class, or of a function "
        "that returns a Blueprint. Not used with a config, unless given.",
    ),
    LaunchArgument(
        "config", "", "Fleet file (YAML): each robot's blueprint, parameters and remappings. None if empty."
    ),
    LaunchArgument("params_file", "", "ROS parameter file (YAML) for the modules. None if empty."),
    LaunchArgument("arguments", "", "Arguments of a blueprint function, as YAML: '{rate: 20.0}'. None if empty."),
    LaunchArgument("log_level", "info", "Least severe log messages shown: debug, info, warn, error or fatal."),
    LaunchArgument("fail_fast", "true", "Whether one module that fails ends the fleet; false: the rest runs on."),
    LaunchArgument("use_sim_time", "false", "Whether the modules take their time from /clock: true or false."),
)

SWITCHES = ("fail_fast", "use_sim_time")
OF_A_CONFIG = ("robots", "blueprint")
"""Arguments whose defaults do not apply where a config says it."""


def coordinator_parameters(values: Mapping[str, str], given: Collection[str]) -> dict[str, Any]:
    """The coordinator's ROS parameters for launch arguments.

    ``given`` names those that were not left at their defaults. Raises BlueprintError for text that is not
    what the argument takes.
    """
    parameters: dict[str, Any] = {}
    for argument in ARGUMENTS:
        text = values[argument.name].strip()
        left_out = values["config"].strip() and argument.name in OF_A_CONFIG and argument.name not in given
        if not text or left_out:
            continue
        if argument.name in SWITCHES:
            parameters[argument.name] = _truth(argument.name, text)
        elif argument.name == "arguments":
            parameters.update({f"arguments.{name}": _as_parameter(value) for name, value in _mapping(text).items()})
        else:
            parameters[argument.name] = text
    return parameters


def _as_parameter(value: Any) -> Any:
    """A value that a ROS parameter holds, else its JSON text: the coordinator reads it by the function's hints."""
    items = value if isinstance(value, list) else [value]
    plain = items and isinstance(items[0], (bool, int, float, str)) and len({type(item) for item in items}) == 1
    return value if plain else json.dumps(value)


def _truth(name: str, text: str) -> bool:
    if text.lower() not in ("true", "false", "1", "0"):
        raise BlueprintError(f"{name} takes true or false, not {text!r}")
    return text.lower() in ("true", "1")


def _mapping(text: str) -> dict[str, Any]:
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise BlueprintError(f"arguments is not YAML: {error}") from None
    if not isinstance(value, dict) or not all(isinstance(name, str) for name in value):
        raise BlueprintError(f"arguments takes a mapping such as '{{rate: 20.0}}', not {text!r:.100}")
    return value
