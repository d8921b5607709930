"""The value that a node was given for a parameter before the parameter is declared."""

from __future__ import annotations

from typing import Any, Protocol

from rcl_interfaces.msg import ParameterDescriptor
from rclpy.context import Context
from rclpy.node import Node
from rclpy.parameter import Parameter

from dimos_ros.ros.internals.internal import Internal, NotNeededError


class ParameterNode(Protocol):
    """A node, as far as its parameters go."""

    def declare_parameter(self, name: str, value: Any, descriptor: ParameterDescriptor) -> Any: ...
    def undeclare_parameter(self, name: str) -> None: ...


def parameter_override(node: ParameterNode, name: str) -> Parameter | None:
    """What a command line, a file or a load request gives for a parameter that is not declared; None for nothing."""
    overrides = getattr(node, "_parameter_overrides", None)
    if overrides is not None:
        return overrides.get(name)
    return _by_declaring(node, name)


def _by_declaring(node: ParameterNode, name: str) -> Parameter | None:
    """The same by declaring the parameter without a type for a moment, which publishes two events."""
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
            raise NotNeededError("Node has no _parameter_overrides; declaring for a moment gave what was given")
    finally:
        node.destroy_node()
    return "what was given was there before the parameter was declared"


INTERNAL = Internal(
    name="parameter overrides",
    purpose="a parameter that has to be given is missed with a sentence, and an empty list keeps its type",
    touches="Node._parameter_overrides, read",
    upstream="ros2/rclpy#912",
    versions="7.1 and newer",
    fallback="the parameter is declared without a type for a moment, which publishes two events",
    probe=_probe,
)
