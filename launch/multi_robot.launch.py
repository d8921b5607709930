"""Runs a fleet: copies of a blueprint, each in a namespace of its own, under one coordinator.

    ros2 launch dimos_ros multi_robot.launch.py robots:=alice,bob
    ros2 launch dimos_ros multi_robot.launch.py config:=my_fleet.yaml

It ends when the coordinator does; with exit code 1 if that had another one than 0.
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
"""The coordinator brings modules down in order, within bounds of its own; launch must not cut that short."""


def generate_launch_description() -> LaunchDescription:
    """Arguments, then the coordinator with what they come to."""
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
    """The coordinator; its parameters depend on which arguments were given."""
    values = {argument.name: context.launch_configurations[argument.name] for argument in ARGUMENTS}
    return Node(
        package="dimos_ros",
        executable="coordinator",
        parameters=[{name: as_it_is(value) for name, value in coordinator_parameters(values, given).items()}],
        output="screen",
        emulate_tty=sys.stdout.isatty(),  # colours, where somebody sees them
        sigterm_timeout=str(STOP_SECONDS),
        on_exit=ended,
    )


def as_it_is(value: Any) -> Any:
    """A parameter's value; without this, launch would take text such as ``3`` or ``on`` for YAML."""
    return ParameterValue(value, value_type=str) if isinstance(value, str) else value


def ended(event: ProcessExited, context: LaunchContext) -> Shutdown:
    """End the launch with the coordinator."""
    if event.returncode:
        # It is how a launch file says that `ros2 launch` shall end with an exit code other than 0.
        raise RuntimeError(f"the coordinator ended with exit code {event.returncode}: it says why above")
    return Shutdown(reason="the fleet has ended")
