"""What a load request asks for, checked and in the terms of rclpy."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from rcl_interfaces.msg import ParameterType
from rclpy.logging import LoggingSeverity
from rclpy.parameter import Parameter

from dimos_ros.exceptions import LoadRefusedError

EXTRA_ARGUMENTS = (
    "forward_global_arguments",
    "enable_rosout",
    "start_parameter_services",
    "enable_logger_service",
    # Without a meaning in rclpy; launch files set them for every node.
    "use_intra_process_comms",
    "enable_topic_statistics",
    "start_parameter_event_publisher",
    "use_clock_thread",
)


@dataclass(frozen=True)
class LoadOptions:
    """A load request in the terms of rclpy. ``node_namespace`` is absolute, or empty for the class's own."""

    node_name: str
    node_namespace: str
    arguments: list[str]
    parameters: list[Parameter]
    log_level: int
    extra: dict[str, bool]

    @classmethod
    def from_request(cls, request: Any, container_arguments: Sequence[str] = ()) -> LoadOptions:
        """Options of a ``LoadNode`` request. Raises LoadRefusedError for what no node can be given."""
        extra = _extra_arguments(request.extra_arguments)
        namespace = request.node_namespace
        if namespace and not namespace.startswith("/"):
            namespace = f"/{namespace}"
        arguments = ["--ros-args"]
        for rule in request.remap_rules:
            arguments += ["-r", rule]
        if request.node_name:
            arguments += ["-r", f"__node:={request.node_name}"]
        if namespace:
            arguments += ["-r", f"__ns:={namespace}"]
        if extra.get("forward_global_arguments"):
            # After the node's own: the first rule that matches is the one that counts.
            arguments += container_arguments
        return cls(
            node_name=request.node_name,
            node_namespace=namespace,
            arguments=arguments,
            parameters=_parameters(request.parameters),
            log_level=_log_level(request.log_level),
            extra=extra,
        )

    def full_name(self, default_name: str = "", default_namespace: str = "/") -> str:
        """The full node name that is asked for; empty where only the class knows it."""
        name = self.node_name or default_name
        return f"{(self.node_namespace or default_namespace).rstrip('/')}/{name}" if name else ""


def _extra_arguments(given: Iterable[Any]) -> dict[str, bool]:
    extra: dict[str, bool] = {}
    for argument in given:
        if argument.name not in EXTRA_ARGUMENTS:
            raise LoadRefusedError(
                f"Extra component argument '{argument.name}' is not supported; supported: {', '.join(EXTRA_ARGUMENTS)}"
            )
        if argument.value.type != ParameterType.PARAMETER_BOOL:
            raise LoadRefusedError(f"Extra component argument '{argument.name}' must be a boolean")
        extra[argument.name] = bool(argument.value.bool_value)
    return extra


def _parameters(given: Iterable[Any]) -> list[Parameter]:
    parameters = []
    for message in given:
        try:
            parameters.append(Parameter.from_parameter_msg(message))
        except Exception as error:
            raise LoadRefusedError(f"Parameter '{message.name}' cannot be read: {error}") from error
    return parameters


def _log_level(given: int) -> int:
    levels = {int(level): level.name for level in LoggingSeverity}
    if given not in levels:
        known = ", ".join(f"{number} {name.lower()}" for number, name in levels.items())
        raise LoadRefusedError(f"Log level {given} is not supported; supported: {known}")
    return int(given)
