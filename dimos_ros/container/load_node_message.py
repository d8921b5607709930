"""Conversion between LoadRequest and its ROS form: ``composition_interfaces/srv/LoadNode`` and rclpy's parameters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from composition_interfaces.srv import LoadNode
from rcl_interfaces.msg import Parameter as ParameterMessage
from rclpy.parameter import Parameter

from dimos_ros.exceptions import LoadRefusedError
from dimos_ros.loading.load_request import LoadRequest
from dimos_ros.loading.values import EmptyArray, ParameterValue

_ARRAYS = {
    Parameter.Type.BOOL_ARRAY: "bool",
    Parameter.Type.INTEGER_ARRAY: "int",
    Parameter.Type.DOUBLE_ARRAY: "float",
    Parameter.Type.STRING_ARRAY: "str",
    Parameter.Type.BYTE_ARRAY: "bytes",
}
_ARRAY_OF = {kind: array for array, kind in _ARRAYS.items()}


def from_message(message: LoadNode.Request) -> LoadRequest:
    """Return the load request of a ROS message. Raises LoadRefusedError for a parameter that cannot be read."""
    return LoadRequest(
        package_name=message.package_name,
        plugin_name=message.plugin_name,
        node_name=message.node_name,
        node_namespace=message.node_namespace,
        log_level=message.log_level,
        remap_rules=tuple(message.remap_rules),
        parameters=_values(message.parameters),
        extra_arguments=_values(message.extra_arguments),
    )


def to_message(request: LoadRequest) -> LoadNode.Request:
    """Return the ROS message of a load request."""

    def messages(values: Mapping[str, Any]) -> list[ParameterMessage]:
        return [ros_parameter(name, value).to_parameter_msg() for name, value in values.items()]

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


def ros_parameter(name: str, value: ParameterValue | None) -> Parameter:
    """Return an rclpy parameter with a value of a load request. None makes a parameter that is not set."""
    if isinstance(value, EmptyArray):
        return Parameter(name, _ARRAY_OF[value.kind], [])
    return Parameter(name, value=[bytes([b]) for b in value] if isinstance(value, bytes) else value)


def plain_value(parameter: Parameter) -> ParameterValue | None:
    """Return an rclpy parameter's value in the form of a load request: arrays as lists, byte arrays as bytes."""
    value: Any = parameter.value
    if parameter.type_ not in _ARRAYS:
        return value
    if not len(value):
        return EmptyArray(_ARRAYS[parameter.type_])
    return b"".join(value) if parameter.type_ == Parameter.Type.BYTE_ARRAY else list(value)


def _values(messages: Iterable[ParameterMessage]) -> dict[str, Any]:
    values = {}
    for message in messages:
        try:
            values[message.name] = plain_value(Parameter.from_parameter_msg(message))
        except Exception as error:
            raise LoadRefusedError(f"Parameter '{message.name}' cannot be read: {error}") from error
    return values
