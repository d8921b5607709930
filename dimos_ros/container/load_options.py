"""The options of a load request, checked and converted to the types of rclpy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rclpy.logging import LoggingSeverity
from rclpy.parameter import Parameter

from dimos_ros.container.load_node_message import ros_parameter
from dimos_ros.exceptions import LoadRefusedError
from dimos_ros.loading.load_request import LoadRequest

EXTRA_ARGUMENTS = (
    "forward_global_arguments",
    "enable_rosout",
    "start_parameter_services",
    "enable_logger_service",
    # These have no meaning in rclpy, but launch files set them for every node.
    "use_intra_process_comms",
    "enable_topic_statistics",
    "start_parameter_event_publisher",
    "use_clock_thread",
)


@dataclass(frozen=True)
class LoadOptions:
    """The options of a load request for rclpy. ``node_namespace`` is absolute; empty leaves it to the class."""

    node_name: str
    node_namespace: str
    arguments: list[str]
    parameters: list[Parameter]
    log_level: int
    extra: dict[str, bool]

    @classmethod
    def of(cls, request: LoadRequest, container_arguments: Sequence[str] = ()) -> LoadOptions:
        """Return the options of a load request. Raises LoadRefusedError for an option that is not supported."""
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
            # After the node's own rules, since the first rule that matches is used.
            arguments += container_arguments
        return cls(
            node_name=request.node_name,
            node_namespace=namespace,
            arguments=arguments,
            parameters=[ros_parameter(name, value) for name, value in request.parameters.items()],
            log_level=_log_level(request.log_level),
            extra=extra,
        )

    @property
    def full_name(self) -> str:
        """The requested full node name; "" if the class names the node. No namespace means the global one."""
        return f"{self.node_namespace.rstrip('/')}/{self.node_name}" if self.node_name else ""

    @property
    def certain_name(self) -> str:
        """The full node name, if the request gives both name and namespace; else "", since the class completes it."""
        return self.full_name if self.node_namespace else ""


def _extra_arguments(given: Mapping[str, Any]) -> dict[str, bool]:
    for name, value in given.items():
        if name not in EXTRA_ARGUMENTS:
            raise LoadRefusedError(
                f"Extra component argument '{name}' is not supported; supported: {', '.join(EXTRA_ARGUMENTS)}"
            )
        if not isinstance(value, bool):
            raise LoadRefusedError(f"Extra component argument '{name}' must be a boolean")
    return dict(given)


def _log_level(given: int) -> int:
    levels = {int(level): level.name for level in LoggingSeverity}
    if given not in levels:
        known = ", ".join(f"{number} {name.lower()}" for number, name in levels.items())
        raise LoadRefusedError(f"Log level {given} is not supported; supported: {known}")
    return int(given)
