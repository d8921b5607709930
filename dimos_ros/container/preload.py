"""The imports of the fork server before its first fork, so that no container has to repeat them."""

from __future__ import annotations

import contextlib
import ctypes
import importlib
from collections.abc import Callable, Iterable

from dimos_ros.processes.malloc import keep_freed_memory
from dimos_ros.ros.internals import warm_logging

MODULES = (
    "asyncio",
    "rclpy",
    "rclpy.executors",
    "rclpy.experimental",
    "rclpy.lifecycle",
    "rclpy.parameter",
    "rclpy.serialization",
    "dimos_ros.container.node_process",
)
MESSAGE_TYPES = (
    "builtin_interfaces.msg:Time",
    "composition_interfaces.srv:ListNodes",
    "composition_interfaces.srv:LoadNode",
    "composition_interfaces.srv:UnloadNode",
    "dimos_interfaces.srv:Call",
    "geometry_msgs.msg:PoseStamped",
    "geometry_msgs.msg:Twist",
    "lifecycle_msgs.msg:TransitionEvent",
    "lifecycle_msgs.srv:ChangeState",
    "lifecycle_msgs.srv:GetAvailableStates",
    "lifecycle_msgs.srv:GetAvailableTransitions",
    "lifecycle_msgs.srv:GetState",
    "nav_msgs.msg:OccupancyGrid",
    "nav_msgs.msg:Odometry",
    "nav_msgs.msg:Path",
    "rcl_interfaces.msg:Log",
    "rcl_interfaces.msg:ParameterEvent",
    "rcl_interfaces.srv:DescribeParameters",
    "rcl_interfaces.srv:GetParameterTypes",
    "rcl_interfaces.srv:GetParameters",
    "rcl_interfaces.srv:ListParameters",
    "rcl_interfaces.srv:SetParameters",
    "rcl_interfaces.srv:SetParametersAtomically",
    "rosgraph_msgs.msg:Clock",
    "sensor_msgs.msg:Image",
    "sensor_msgs.msg:LaserScan",
    "std_msgs.msg:String",
    "std_srvs.srv:Trigger",
    "tf2_msgs.msg:TFMessage",
    "type_description_interfaces.srv:GetTypeDescription",
)


TYPE_SUPPORTS = ("fastrtps_c", "introspection_c")
"""Kinds of type support that the DDS implementation loads at the first use of a type."""


def preload(more: Iterable[str] = ()) -> list[Callable[[], object]]:
    """Import the modules that containers need, and the modules ``more``; load the shared libraries that a node uses.

    Return functions that the fork server runs while it is idle; see :func:`dimos_ros.processes.fork_server.main`.
    """
    keep_freed_memory()
    for name in (*MODULES, *more):
        importlib.import_module(name)
    from rclpy.type_support import check_for_type_support
    from rclpy.utilities import get_rmw_implementation_identifier

    get_rmw_implementation_identifier()  # loads the DDS implementation
    packages = set()
    for path in MESSAGE_TYPES:
        module, _, name = path.partition(":")
        try:
            check_for_type_support(getattr(importlib.import_module(module), name))
        except ImportError:
            continue  # this ROS lacks the package: a module that uses it fails with an error of its own
        packages.add(module.partition(".")[0])
    for package in sorted(packages):
        for kind in TYPE_SUPPORTS:
            # Another DDS implementation uses other libraries.
            with contextlib.suppress(OSError):
                ctypes.CDLL(f"lib{package}__rosidl_typesupport_{kind}.so")
    return [warm_logging]
