"""The process of one node, for a container that runs each node in a process of its own."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from typing import Any

from rclpy.context import Context

from dimos_ros.container.component_manager import ComponentManager
from dimos_ros.container.lifecycle import is_managed, state_of
from dimos_ros.container.protocol import PROTOCOL, Load, Loaded, Stop, Unload, Unloaded
from dimos_ros.processes.channel import ChildEnd
from dimos_ros.processes.child import name_process, serve
from dimos_ros.ros.log_bridge import log_to_ros

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
    """Host one node until the container sends Stop or ends. Return the exit code 0."""
    context = Context()
    context.init(args=["container", *context_arguments])
    log_to_ros("container")
    process = NodeProcess(
        context,
        executor=executor,
        threads=threads,
        allowed_packages=allowed_packages,
        container_arguments=container_arguments,
    )
    channel = ChildEnd(
        connection, PROTOCOL, {Load: process.load, Unload: process.unload, Stop: lambda _: channel.close()}
    )
    return serve(channel, process.close)


class NodeProcess:
    """The handlers for the container's requests: one load, and unload. ``options`` are passed to ComponentManager."""

    def __init__(self, context: Context, **options: Any) -> None:
        self._context = context
        self._options = options
        self._manager: ComponentManager | None = None

    def load(self, asked: Load) -> Loaded:
        """Construct the node.

        Raises ClassNotFoundError, LoadRefusedError, ModuleFailedError.
        """
        self._manager = ComponentManager(self._context, taken=asked.taken, **self._options)
        loaded = self._manager.load(asked.request, asked.unique_id)
        name_process(loaded.name.rpartition("/")[2])
        return Loaded(loaded.unique_id, loaded.name, is_managed(loaded.node), state_of(loaded.node))

    def unload(self, asked: Unload) -> Unloaded:
        """Take the node down; see :meth:`ComponentManager.unload`."""
        assert self._manager is not None
        return self._manager.unload(asked.unique_id, asked.timeout)

    def close(self) -> None:
        """Take down the node, if there is one, and shut down the context."""
        if self._manager is not None:
            self._manager.close(CLOSE_SECONDS)
        self._context.try_shutdown()
