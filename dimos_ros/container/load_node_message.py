"""Load requests as ROS messages and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from composition_interfaces.srv import LoadNode
from rcl_interfaces.msg import Parameter as ParameterMessage
from rclpy.parameter import Parameter, parameter_value_to_python

from dimos_ros.loading.load_request import LoadRequest


def to_message(request: LoadRequest) -> LoadNode.Request:
    """The ROS message of a load request."""

    def messages(values: Mapping[str, Any]) -> list[ParameterMessage]:
        return [Parameter(name, value=_ros_value(value)).to_parameter_msg() for name, value in values.items()]

    return LoadNode.Request(
        package_name=request.package_name,
        plugin_name=request.plugin_name,
        node_name=request.node_name,
        node_namespace=request.node_namespace,
        log_level=request.log_level,
        remap_rules=list(request.remap_rules),
        parameters=messages(request.parameters),
        extra_arguments=messages(request.extra_arguments),
    )


def from_message(message: LoadNode.Request) -> LoadRequest:
    """The load request of a ROS message."""

    def values(parameters: Sequence[ParameterMessage]) -> dict[str, Any]:
        return {p.name: plain_value(parameter_value_to_python(p.value)) for p in parameters}

    return LoadRequest(
        package_name=message.package_name,
        plugin_name=message.plugin_name,
        node_name=message.node_name,
        node_namespace=message.node_namespace,
        log_level=message.log_level,
        remap_rules=tuple(message.remap_rules),
        parameters=values(message.parameters),
        extra_arguments=values(message.extra_arguments),
    )


def _ros_value(value: Any) -> Any:
    return [bytes([b]) for b in value] if isinstance(value, bytes) else value


def plain_value(value: Any) -> Any:
    """A parameter's value as plain data: arrays as lists, byte arrays as bytes."""
    if isinstance(value, (bool, int, float, str, bytes)) or value is None:
        return value
    items = list(value)
    return b"".join(items) if items and isinstance(items[0], bytes) else items
