"""A module's declared parameters and references as ROS parameters of its node."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from rcl_interfaces.msg import (
    FloatingPointRange,
    IntegerRange,
    ParameterDescriptor,
    ParameterType,
    SetParametersResult,
)
from rclpy.parameter import Parameter as RosParameter

from dimos_ros.declaration.interface import REQUIRED, Parameter, Reference
from dimos_ros.exceptions import BlueprintError
from dimos_ros.ros.internals import parameter_override


class ParameterNode(Protocol):
    """A module as this file sees it: a node with parameters, and the values that its attributes return."""

    _parameter_values: dict[str, Any]

    def _parameters_changed(self, changed: Mapping[str, Any]) -> None: ...
    def get_name(self) -> str: ...
    def get_fully_qualified_name(self) -> str: ...
    def declare_parameter(
        self, name: str, value: Any, descriptor: ParameterDescriptor, ignore_override: bool = False
    ) -> Any: ...
    def undeclare_parameter(self, name: str) -> None: ...
    def set_descriptor(self, name: str, descriptor: ParameterDescriptor) -> Any: ...
    def set_parameters(self, parameter_list: list[RosParameter]) -> list[SetParametersResult]: ...
    def add_on_set_parameters_callback(self, callback: Any) -> None: ...
    def add_post_set_parameters_callback(self, callback: Any) -> None: ...


_TYPES = {
    "bool": ParameterType.PARAMETER_BOOL,
    "int": ParameterType.PARAMETER_INTEGER,
    "float": ParameterType.PARAMETER_DOUBLE,
    "str": ParameterType.PARAMETER_STRING,
    "bytes": ParameterType.PARAMETER_BYTE_ARRAY,
    "bool[]": ParameterType.PARAMETER_BOOL_ARRAY,
    "int[]": ParameterType.PARAMETER_INTEGER_ARRAY,
    "float[]": ParameterType.PARAMETER_DOUBLE_ARRAY,
    "str[]": ParameterType.PARAMETER_STRING_ARRAY,
}
# The largest finite values stand for a missing bound.
_LARGEST_FLOAT = 1.7976931348623157e308
_LARGEST_INT = 2**63 - 1


def declare(module: ParameterNode, parameters: Mapping[str, Parameter]) -> None:
    """Declare parameters on the node, with the values that it was constructed with, and keep its attributes up to date.

    Raises BlueprintError for a parameter that must be set and is not.
    """
    for parameter in parameters.values():
        value = _declare_one(module, parameter)
        module._parameter_values[parameter.name] = from_ros(parameter, value)

    def check(changed: list[RosParameter]) -> SetParametersResult:
        try:
            for one in changed:
                if one.name in parameters:
                    parameters[one.name].check(from_ros(parameters[one.name], one.value), module.get_name())
        except BlueprintError as error:
            return SetParametersResult(successful=False, reason=str(error))
        return SetParametersResult(successful=True)

    def changed(values: list[RosParameter]) -> None:
        module._parameters_changed(
            {v.name: from_ros(parameters[v.name], v.value) for v in values if v.name in parameters}
        )

    module.add_on_set_parameters_callback(check)
    module.add_post_set_parameters_callback(changed)


def declare_references(module: ParameterNode, references: Mapping[str, Reference]) -> dict[str, str]:
    """Declare a parameter for each reference: the full name of the node that it refers to, "" for none.

    Returns the full names by attribute. Raises BlueprintError for a reference that must be set and is not.
    """
    targets = {}
    for reference in references.values():
        kind = reference.target.__name__
        descriptor = ParameterDescriptor(description=f"full name of the {kind} that this module uses", read_only=True)
        target = module.declare_parameter(reference.name, "", descriptor).value
        if not target and not reference.optional:
            raise BlueprintError(
                f"{module.get_fully_qualified_name()}: reference {reference.name!r} ({kind}) must be set; a "
                f"blueprint sets it, or set parameter {reference.name!r} to the full name of that node"
            )
        targets[reference.name] = str(target)
    return targets


def assign(module: ParameterNode, parameter: Parameter, value: Any) -> None:
    """Set a parameter of the module's own node, as ``ros2 param set`` does. Raises BlueprintError if it is refused."""
    checked = parameter.check(value, module.get_name())
    kind = RosParameter.Type(_TYPES[parameter.kind]) if checked is not None else RosParameter.Type.NOT_SET
    (result,) = module.set_parameters([RosParameter(parameter.name, kind, to_ros(parameter, checked))])
    if not result.successful:
        raise BlueprintError(f"{module.get_name()}: parameter {parameter.name!r} was not set: {result.reason}")


def to_ros(parameter: Parameter, value: Any) -> Any:
    """Return a declared value in the form that rclpy takes: bytes become a list of single bytes."""
    return [bytes([b]) for b in value] if parameter.kind == "bytes" and value is not None else value


def from_ros(parameter: Parameter, value: Any) -> Any:
    """Return a value of rclpy in the form of the declaration: the reverse of :func:`to_ros`."""
    if value is None:
        return None
    if parameter.kind == "bytes":
        return b"".join(value)
    return list(value) if parameter.kind.endswith("[]") else value


def _declare_one(module: ParameterNode, parameter: Parameter) -> Any:
    descriptor = ParameterDescriptor(
        description=parameter.description,
        read_only=parameter.read_only,
        additional_constraints=f"one of {', '.join(map(repr, parameter.choices))}" if parameter.choices else "",
        dynamic_typing=parameter.optional,
    )
    low, high, step = parameter.minimum, parameter.maximum, parameter.step
    if low is not None or high is not None:
        if parameter.kind == "float":
            descriptor.floating_point_range = [
                FloatingPointRange(
                    from_value=float(-_LARGEST_FLOAT if low is None else low),
                    to_value=float(_LARGEST_FLOAT if high is None else high),
                    step=float(step or 0.0),
                )
            ]
        elif parameter.kind == "int":
            descriptor.integer_range = [
                IntegerRange(
                    from_value=int(-_LARGEST_INT - 1 if low is None else low),
                    to_value=int(_LARGEST_INT if high is None else high),
                    step=int(step or 0),
                )
            ]
    if parameter.optional:
        return module.declare_parameter(parameter.name, to_ros(parameter, parameter.default), descriptor).value
    ros_type = RosParameter.Type(_TYPES[parameter.kind])
    given = parameter_override(module, parameter.name)
    if given is not None and not _is_empty(given.value):
        return module.declare_parameter(parameter.name, ros_type, descriptor).value
    if given is None and parameter.default is REQUIRED:
        raise BlueprintError(
            f"{module.get_fully_qualified_name()}: parameter {parameter.name!r} ({parameter.kind}) must be set"
        )
    if given is None and not _is_empty(parameter.default):
        return module.declare_parameter(parameter.name, to_ros(parameter, parameter.default), descriptor).value
    _declare_empty(module, parameter.name, ros_type, descriptor)
    return []


def _declare_empty(
    module: ParameterNode, name: str, ros_type: RosParameter.Type, descriptor: ParameterDescriptor
) -> None:
    """Declare a parameter whose value is an empty list. rclpy infers the type from the value, but [] has no type."""
    read_only, descriptor.read_only = descriptor.read_only, False
    module.declare_parameter(name, ros_type, descriptor, ignore_override=True)
    module.set_parameters([RosParameter(name, ros_type, [])])
    descriptor.type, descriptor.read_only = ros_type.value, read_only
    module.set_descriptor(name, descriptor)


def _is_empty(value: Any) -> bool:
    return not isinstance(value, (bool, int, float, str)) and len(value) == 0
