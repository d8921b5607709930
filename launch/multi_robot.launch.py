"""Run a fleet under one coordinator: copies of a blueprint, each in its own namespace.

    ros2 launch dimos_ros multi_robot.launch.py robots:=alice,bob
    ros2 launch dimos_ros multi_robot.launch.py config:=my_fleet.yaml

The launch ends with the coordinator. Its exit code is 0 if that of the coordinator is 0, and 1 otherwise.
"""

from __future__ import annotations

import sys
from typing import Any

from launch.actions import DeclareLaunchArgument, OpaqueFunction, Shutdown
from launch.events.process import ProcessExited
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

from dimos_ros.cli.launch_arguments import ARGUMENTS, coordinator_parameters
from launch import LaunchContext, LaunchDescription

STOP_SECONDS = 30
"""Seconds before launch kills the coordinator, which first stops the modules in order within its own bounds."""


def generate_launch_description() -> LaunchDescription:
    """Return the launch arguments and the coordinator that gets them as parameters."""
    given: set[str] = set()
    return LaunchDescription(
        [
            OpaqueFunction(function=lambda context: given.update(context.launch_configurations)),
            *(
                DeclareLaunchArgument(argument.name, default_value=argument.default, description=argument.description)
                for argument in ARGUMENTS
            ),
            OpaqueFunction(function=lambda context: [coordinator(context, given)]),
        ]
    )


def coordinator(context: LaunchContext, given: set[str]) -> Node:
    """Return the coordinator's node. Its parameters depend on which arguments were given."""
    values = {argument.name: context.launch_configurations[argument.name] for argument in ARGUMENTS}
    return Node(
        package="dimos_ros",
        executable="coordinator",
        parameters=[{name: as_it_is(value) for name, value in coordinator_parameters(values, given).items()}],
        output="screen",
        emulate_tty=sys.stdout.isatty(),  # a coordinator that sees a terminal writes in colours
        sigterm_timeout=str(STOP_SECONDS),
        on_exit=ended,
    )


def as_it_is(value: Any) -> Any:
    """Return a parameter's value, as text if it is text: launch would read ``3`` or ``on`` as YAML."""
    return ParameterValue(value, value_type=str) if isinstance(value, str) else value


def ended(event: ProcessExited, context: LaunchContext) -> Shutdown:
    """End the launch after the coordinator has ended. Raises RuntimeError if its exit code was not 0."""
    if event.returncode:
        # Only an exception makes `ros2 launch` end with an exit code other than 0.
        raise RuntimeError(f"the coordinator ended with exit code {event.returncode}; its log above says why")
    return Shutdown(reason="the fleet has ended")
