"""The coordinator's node: it publishes the list of modules and writes the coordinator's log."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable

from dimos_interfaces.msg import ModuleList
from rclpy.context import Context
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile
from rclpy.utilities import get_rmw_implementation_identifier

from dimos_ros.coordinator.module_info import module_info
from dimos_ros.coordinator.records import Record
from dimos_ros.transport.introducer import Introducer

LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)


class CoordinatorNode:
    """The coordinator's node. It has its own context and spins in its own thread."""

    def __init__(self, name: str = "coordinator", namespace: str = "", arguments: list[str] | None = None) -> None:
        self._context = Context()
        self._context.init(args=arguments)
        # The introducer starts before the first DDS participant, so that it hears of all participants.
        self.introducer = Introducer.open(
            self._context.get_domain_id(), os.environ, get_rmw_implementation_identifier()
        )
        self.node = Node(
            name,
            namespace=namespace,
            context=self._context,
            allow_undeclared_parameters=True,
            automatically_declare_parameters_from_overrides=True,
        )
        self._modules = self.node.create_publisher(ModuleList, "~/modules", LATCHED)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self.node)
        self._thread = threading.Thread(target=self._spin, name="coordinator node", daemon=True)
        self._thread.start()

    def say(self, text: str) -> None:
        """Log a line at info."""
        self.node.get_logger().info(text)

    def publish(self, records: Iterable[Record]) -> None:
        """Publish the list of modules as it is now."""
        stamp = self.node.get_clock().now().to_msg()
        self._modules.publish(ModuleList(stamp=stamp, modules=[module_info(record) for record in records]))

    def close(self) -> None:
        """Destroy the node."""
        self._executor.shutdown(1.0)
        self._thread.join(5.0)
        self.node.destroy_node()
        self._context.try_shutdown()
        if self.introducer is not None:
            self.introducer.close()

    def _spin(self) -> None:
        try:
            self._executor.spin()
        except ExternalShutdownException:
            return
