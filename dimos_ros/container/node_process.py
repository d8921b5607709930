"""The process of one node, below a container that runs each in a process of its own."""

from __future__ import annotations

import base64
import contextlib
import signal
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from composition_interfaces.srv import LoadNode
from rclpy.context import Context
from rclpy.serialization import deserialize_message, serialize_message

from dimos_ros.container.component_manager import ComponentManager
from dimos_ros.processes.channel import ChildEnd

TARGET = "dimos_ros.container.node_process:run"
CLOSE_SECONDS = 2.0


def run(
    connection: socket.socket,
    *,
    executor: str,
    threads: int | None,
    allowed_packages: Sequence[str],
    context_arguments: Sequence[str],
    container_arguments: Sequence[str],
) -> int:
    """Host one node until the container says stop or is gone. The exit code is 0."""
    process = NodeProcess(connection, executor, threads, allowed_packages, context_arguments, container_arguments)
    signal.signal(signal.SIGTERM, lambda *_: process.stop())
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    process.serve()
    return 0


def as_text(message: Any) -> str:
    """A ROS message for the control channel."""
    return base64.b64encode(serialize_message(message)).decode()


class NodeProcess:
    """Operations that the container asks for: load once, unload, stop."""

    def __init__(
        self,
        connection: socket.socket,
        executor: str,
        threads: int | None,
        allowed_packages: Sequence[str],
        context_arguments: Sequence[str],
        container_arguments: Sequence[str],
    ) -> None:
        self._context = Context()
        self._context.init(args=["container", *context_arguments])
        self._options: dict[str, Any] = {
            "executor": executor,
            "threads": threads,
            "allowed_packages": allowed_packages,
            "container_arguments": container_arguments,
        }
        self._manager: ComponentManager | None = None
        self._channel = ChildEnd(connection, {name: getattr(self, name) for name in ("load", "unload", "stop")})

    def serve(self) -> None:
        """Do what is asked for until there is nobody to ask; then bring the node down."""
        try:
            self._channel.serve()
        finally:
            if self._manager is not None:
                self._manager.close(CLOSE_SECONDS)
            self._context.try_shutdown()

    def stop(self) -> None:
        """End :meth:`serve`."""
        self._channel.close()

    def load(self, request: str, unique_id: int, taken: Mapping[str, int]) -> str:
        """Construct the node and return its full name.

        Raises ClassNotFoundError, LoadRefusedError, ModuleFailedError.
        """
        self._manager = ComponentManager(self._context, taken=taken, **self._options)
        message = deserialize_message(base64.b64decode(request), LoadNode.Request)
        name = self._manager.load_or_raise(message, unique_id).name
        with contextlib.suppress(OSError):
            Path("/proc/self/comm").write_text(name.rpartition("/")[2][:15])  # what process lists show
        return name

    def unload(self, unique_id: int, timeout: float) -> dict[str, Any]:
        """Take the node down; see :meth:`ComponentManager.unload`."""
        assert self._manager is not None
        result = self._manager.unload(unique_id, timeout)
        return {"success": result.success, "forced": result.forced, "detail": result.detail}
