"""The coordinator's agent inside a container process.

It loads nodes that the coordinator asks for over the control channel. The container's ROS services load the same
nodes, but over the channel no request waits for discovery. The agent also reports errors and state changes of nodes.
"""

from __future__ import annotations

import os
import socket
from typing import Any

from rclpy.context import Context
from rclpy.node import Node
from rclpy.parameter import Parameter

from dimos_ros.calls.directory import Directory
from dimos_ros.container.component_manager import ComponentManager
from dimos_ros.container.container_node import ContainerNode
from dimos_ros.container.lifecycle import is_managed, state_of
from dimos_ros.container.load_node_message import plain_value
from dimos_ros.container.protocol import (
    PROTOCOL,
    Begin,
    ErrorRaised,
    FleetChanged,
    Hosted,
    JobFinished,
    Join,
    ListHosted,
    Load,
    Loaded,
    NodeUnloaded,
    ParametersSet,
    Preload,
    StateChanged,
    Stop,
    Transition,
    Unload,
    Unloaded,
)
from dimos_ros.processes.channel import ChildEnd
from dimos_ros.processes.child import name_process, serve
from dimos_ros.ros.errors import raised_text
from dimos_ros.ros.log_bridge import log_to_ros
from dimos_ros.transport.profiles import introduced_transport

TARGET = "dimos_ros.coordinator.container_agent:run"
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
    """Host nodes until the coordinator asks for the end or has ended itself; return the exit code, which is 0."""
    context = Context()
    with introduced_transport(sends_images, fleet_size, introducer):
        context.init(args=["--ros-args", "--log-level", log_level] if log_level else [])
        log_to_ros("container")
        agent = ContainerAgent(connection, context, executor)
    return serve(agent.channel, agent.close)


class ContainerAgent:
    """Agent of the coordinator in a container process. It has one method for each request of the protocol."""

    def __init__(self, connection: socket.socket, context: Context, executor: str) -> None:
        self._context = context
        self._directory = Directory()
        self._manager = ComponentManager(context, executor=executor, host_factory=self._host)
        self._container_node: ContainerNode | None = None
        self._joined: Node | None = None
        self.channel = ChildEnd(
            connection,
            PROTOCOL,
            {
                Begin: self.begin,
                Join: self.join,
                Preload: self.preload,
                Load: self.load,
                Transition: self.transition,
                Unload: self.unload,
                ListHosted: self.list_hosted,
                FleetChanged: self.fleet_changed,
                Stop: lambda _: self.channel.close(),
            },
        )

    def close(self) -> None:
        """Destroy all nodes and leave the ROS graph."""
        self._manager.close(CLOSE_SECONDS)
        # The last node takes the DDS participant with it. A participant that is left when the process ends may hold
        # the lock of its shared memory. Peers that send to it would then wait for seconds.
        self._leave_spares()
        if self._container_node is not None:
            self._container_node.close()
        self._context.try_shutdown()

    def join(self, _: Join) -> None:
        """Join the ROS graph with a placeholder node, so that a spare process has discovered its peers early."""
        self._joined = Node(f"_spare_{os.getpid()}", context=self._context, **_BARE)

    def begin(self, asked: Begin) -> None:
        """Start the container node under the name that the coordinator gives."""
        name_process(asked.node_name)
        self._container_node = ContainerNode(
            self._context,
            asked.node_name,
            asked.node_namespace,
            self._manager,
            lean=True,
            on_unload=lambda unique_id: self.channel.tell(NodeUnloaded(unique_id)),
        )
        log_to_ros(self._container_node.node.get_logger().name)
        self._leave_spares()

    def preload(self, asked: Preload) -> None:
        """Import the class of a node, so that errors of its source show before anything is stopped."""
        self._manager.preload(asked.package_name, asked.plugin_name)

    def load(self, asked: Load) -> Loaded:
        """Construct a node. Raises the errors of :meth:`ComponentManager.load`."""
        loaded = self._manager.load(asked.request)
        if loaded.node is not None:
            self._report_parameters(loaded.node, loaded.unique_id)
        return _loaded(loaded.unique_id, loaded.name, loaded.node)

    def transition(self, asked: Transition) -> None:
        """Run a lifecycle transition. Raises the errors of :meth:`ComponentManager.transition`."""
        self._manager.transition(asked.unique_id, asked.transition, asked.timeout)

    def unload(self, asked: Unload) -> Unloaded:
        """Stop and destroy a node; see :meth:`ComponentManager.unload`."""
        return self._manager.unload(asked.unique_id, asked.timeout)

    def list_hosted(self, _: ListHosted) -> Hosted:
        """Return the nodes that are loaded."""
        return Hosted(tuple(_loaded(number, name, self._manager.node(number)) for number, name in self._manager.list()))

    def fleet_changed(self, notice: FleetChanged) -> None:
        """Enter the fleet's changes in the directory of this process."""
        self._directory.apply(notice.changed, notice.gone)

    def _leave_spares(self) -> None:
        if self._joined is not None:
            self._joined.destroy_node()
            self._joined = None

    def _host(self, unique_id: int) -> NodeHost:
        return NodeHost(self.channel, unique_id, self._directory)

    def _report_parameters(self, node: Node, unique_id: int) -> None:
        def changed(parameters: list[Parameter]) -> None:
            values = {p.name: plain_value(p) for p in parameters}
            given = {name: value for name, value in values.items() if value is not None}
            self.channel.tell(ParametersSet(unique_id, given))

        node.add_post_set_parameters_callback(changed)


class NodeHost:
    """Host of one node: the node reports through it; see :class:`dimos_ros.ros.node_options.Host`."""

    def __init__(self, channel: ChildEnd, unique_id: int, directory: Directory) -> None:
        self._channel = channel
        self._unique_id = unique_id
        self.directory = directory

    def error(self, where: str, error: BaseException) -> None:
        """Report to the coordinator that a callback raised an error."""
        self._channel.tell(ErrorRaised(self._unique_id, raised_text(where, error)))

    def state(self, label: str) -> None:
        """Report a new lifecycle state to the coordinator."""
        self._channel.tell(StateChanged(self._unique_id, label))

    def finish(self, summary: str) -> None:
        """Report to the coordinator that the job of the whole fleet is done."""
        self._channel.tell(JobFinished(self._unique_id, summary))


_BARE: dict[str, Any] = {
    "enable_rosout": False,
    "start_parameter_services": False,
    "use_global_arguments": False,
    # rclpy leaves the service of type descriptions in the graph when the node is destroyed.
    "parameter_overrides": [Parameter("start_type_description_service", value=False)],
}


def _loaded(unique_id: int, name: str, node: Node | None) -> Loaded:
    return Loaded(unique_id, name, is_managed(node), state_of(node))
