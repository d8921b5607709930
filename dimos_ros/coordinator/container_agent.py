"""A container that a coordinator started: it loads over its control channel, without waiting for discovery,
what can also be loaded over its ROS services."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rclpy.context import Context
from rclpy.lifecycle import LifecycleNode
from rclpy.node import Node
from rclpy.parameter import Parameter

from dimos_ros.calls.directory import Directory
from dimos_ros.container.component_manager import ComponentManager
from dimos_ros.container.container_node import ContainerNode
from dimos_ros.container.lifecycle import state_of
from dimos_ros.container.load_node_message import plain_value, to_message
from dimos_ros.container.loaded_node import Unloaded
from dimos_ros.exceptions import ModuleFailedError
from dimos_ros.loading.load_request import LoadRequest
from dimos_ros.loading.values import to_data
from dimos_ros.processes.channel import ChildEnd
from dimos_ros.ros.errors import error_text
from dimos_ros.transport.profiles import introduced_transport

CLOSE_SECONDS = 2.0


def run(
    connection: socket.socket,
    *,
    executor: str,
    log_level: str,
    sends_images: bool = False,
    fleet_size: int = 0,
    introducer: int = 0,
) -> int:
    """Host nodes until the coordinator says stop or is gone. The exit code is 0."""
    with introduced_transport(sends_images, fleet_size, introducer):
        hosted = HostedContainer(connection, executor, log_level)
    signal.signal(signal.SIGTERM, lambda *_: hosted.stop())
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    hosted.serve()
    return 0


class HostedContainer:
    """Operations that the coordinator asks for, by name; see :class:`dimos_ros.processes.channel.ChildEnd`."""

    def __init__(self, connection: socket.socket, executor: str, log_level: str) -> None:
        arguments = ["--ros-args", "--log-level", log_level] if log_level else []
        self._context = Context()
        self._context.init(args=arguments)
        self._directory = Directory()
        self._manager = _Observed(self._tell_unloaded, self._context, executor=executor, host_factory=self._host)
        self._container_node: ContainerNode | None = None
        self._joined: Node | None = None
        operations = ("begin", "directory", "join", "load", "names", "preload", "stop", "transition", "unload")
        self._channel = ChildEnd(connection, {name: getattr(self, name) for name in operations})

    def serve(self) -> None:
        """Do what is asked for until there is nobody to ask; then bring everything down."""
        try:
            self._channel.serve()
        finally:
            self._manager.close(CLOSE_SECONDS)
            # With the last node goes the participant. If it is there when the process ends, it may hold the lock of its
            # shared memory, for which others that send to it wait seconds.
            self._leave_spares()
            if self._container_node is not None:
                self._container_node.close()
            self._context.try_shutdown()

    def stop(self) -> None:
        """End :meth:`serve`."""
        self._channel.close()

    def join(self) -> None:
        """Take part in the graph ahead of time, as a hidden node, so that peers know this process already."""
        self._joined = Node(f"_spare_{os.getpid()}", context=self._context, **_BARE)

    def begin(self, name: str, namespace: str) -> None:
        """Become the container of that name."""
        with contextlib.suppress(OSError):
            Path("/proc/self/comm").write_text(name[:15])  # what process lists show
        self._container_node = ContainerNode(self._context, name, namespace, self._manager, lean=True)
        self._leave_spares()

    def _leave_spares(self) -> None:
        if self._joined is not None:
            self._joined.destroy_node()
            self._joined = None

    def preload(self, package_name: str, plugin_name: str) -> None:
        """Import a class, so that an error shows before anything else is done."""
        self._manager.preload(package_name, plugin_name)

    def load(self, request: dict[str, Any]) -> dict[str, Any]:
        """Construct a node. The answer has the fields of LoadNode's response and whether it is managed."""
        response = self._manager.load(to_message(LoadRequest.from_dict(request)))
        node = self._manager.node(response.unique_id) if response.success else None
        if node is not None:
            self._report_parameters(node, response.unique_id)
        return {
            "success": response.success,
            "error_message": response.error_message,
            "full_node_name": response.full_node_name,
            "unique_id": response.unique_id,
            "is_managed": isinstance(node, LifecycleNode),
            "state": state_of(node),
        }

    def transition(self, unique_id: int, name: str, timeout: float) -> str:
        """Run a lifecycle transition in the node's own thread and return the state that it led to.

        Raises ModuleFailedError with what the node's callback raised.
        """
        return self._manager.transition(unique_id, name, timeout)

    def unload(self, unique_id: int, timeout: float) -> dict[str, Any]:
        """Stop and destroy a node; see :meth:`ComponentManager.unload`."""
        report = self._manager.unload(unique_id, timeout)
        return {
            "success": report.success,
            "error_message": report.error_message,
            "forced": report.forced,
            "detail": report.detail,
        }

    def names(self) -> dict[str, str]:
        """Full names of the loaded nodes, by id."""
        return {str(unique_id): name for unique_id, name in self._manager.list()}

    def directory(self, **changes: Any) -> None:
        """Take over what changed in the fleet."""
        self._directory.apply(**changes)

    def _tell_unloaded(self, unique_id: int) -> None:
        self._channel.tell("unloaded", unique_id=unique_id)

    def _host(self, unique_id: int) -> Host:
        return Host(self._channel, unique_id, self._directory)

    def _report_parameters(self, node: Node, unique_id: int) -> None:
        def changed(parameters: list[Parameter]) -> None:
            values = {p.name: to_data(plain_value(p.value)) for p in parameters if p.type_ != Parameter.Type.NOT_SET}
            self._channel.tell("parameters", unique_id=unique_id, changed=values)

        node.add_post_set_parameters_callback(changed)


class _Observed(ComponentManager):
    """Tells of each node that was unloaded: somebody may do that over ROS, behind the coordinator's back."""

    def __init__(self, on_unload: Callable[[int], None], *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._on_unload = on_unload

    def unload(self, unique_id: int, timeout: float = 5.0) -> Unloaded:
        """As in ComponentManager."""
        result = super().unload(unique_id, timeout)
        if result.success:
            self._on_unload(unique_id)
        return result


class Host:
    """What a module sees of its container."""

    def __init__(self, channel: ChildEnd, unique_id: int, directory: Directory) -> None:
        self._channel = channel
        self._unique_id = unique_id
        self.directory = directory

    def error(self, where: str, error: BaseException) -> None:
        """A callback raised."""
        separator = " " if isinstance(error, ModuleFailedError) else ": "
        text = f"{where}{separator}{error_text(error)}"
        self._channel.tell("error", unique_id=self._unique_id, text=text)

    def state(self, label: str) -> None:
        """A lifecycle state was reached, whoever asked for it."""
        self._channel.tell("state", unique_id=self._unique_id, label=label)

    def finish(self, summary: str) -> None:
        """The job of the whole fleet is done."""
        self._channel.tell("finished", unique_id=self._unique_id, summary=summary)


_BARE: dict[str, Any] = {
    "enable_rosout": False,
    "start_parameter_services": False,
    "use_global_arguments": False,
    # rclpy leaves that service in the graph when the node is destroyed.
    "parameter_overrides": [Parameter("start_type_description_service", value=False)],
}
