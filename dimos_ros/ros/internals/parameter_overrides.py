"""The value that a node was given for a parameter that is not declared yet."""

from __future__ import annotations

from typing import Any, Protocol

from rcl_interfaces.msg import ParameterDescriptor
from rclpy.context import Context
from rclpy.node import Node
from rclpy.parameter import Parameter

from dimos_ros.ros.internals.internal import Internal, NotNeededError


class ParameterNode(Protocol):
    """A node as this file sees it: its parameters alone."""

    def declare_parameter(self, name: str, value: Any, descriptor: ParameterDescriptor) -> Any: ...
    def undeclare_parameter(self, name: str) -> None: ...


def parameter_override(node: ParameterNode, name: str) -> Parameter | None:
    """Return the value that a command line, file or load request gives for an undeclared parameter, or None."""
    overrides = getattr(node, "_parameter_overrides", None)
    if overrides is not None:
        return overrides.get(name)
    return _by_declaring(node, name)


def _by_declaring(node: ParameterNode, name: str) -> Parameter | None:
    """Return the same value by declaring the parameter without a type for a moment, which publishes two events."""
    value = node.declare_parameter(name, None, ParameterDescriptor(dynamic_typing=True))
    node.undeclare_parameter(name)
    return None if value.value is None else value


def _probe(context: Context) -> str:
    given = Parameter("given", Parameter.Type.INTEGER, 7)
    options: dict[str, Any] = {"start_parameter_services": False, "enable_rosout": False}
    node = Node("probe", context=context, parameter_overrides=[given], **options)
    try:
        for look in (parameter_override, _by_declaring):
            found, missing = look(node, "given"), look(node, "missing")
            if found is None or found.value != 7 or missing is not None:
                raise RuntimeError(f"{look.__name__} found {found}, and {missing} where nothing was given")
        if not hasattr(node, "_parameter_overrides"):
            raise NotNeededError("Node has no _parameter_overrides; declaring for a moment gave the given value")
    finally:
        node.destroy_node()
    return "the given value was known before the parameter was declared"


INTERNAL = Internal(
    name="parameter overrides",
    purpose="the error about a parameter that must be set is a clear sentence, and an empty list keeps its type",
    touches="Node._parameter_overrides, read",
    upstream="ros2/rclpy#912",
    versions="7.1 and newer",
    fallback="the parameter is declared without a type for a moment, which publishes two events",
    probe=_probe,
)
