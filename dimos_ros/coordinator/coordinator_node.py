"""The coordinator's node: its services and the topic of modules, over ROS."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from composition_interfaces.srv import ListNodes, LoadNode, UnloadNode
from dimos_interfaces.msg import ModuleInfo, ModuleList
from dimos_interfaces.srv import (
    ListModules,
    LoadBlueprint,
    RestartModule,
    RestartNamespace,
    UnloadModule,
    UnloadNamespace,
)
from rclpy.context import Context
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile
from rclpy.utilities import get_rmw_implementation_identifier

from dimos_ros.container.load_node_message import from_message
from dimos_ros.coordinator.load_blueprint_request import source_of
from dimos_ros.coordinator.records import Record
from dimos_ros.exceptions import DimosError
from dimos_ros.ros.concurrent_service import ConcurrentService
from dimos_ros.transport.introducer import Introducer

if TYPE_CHECKING:
    from dimos_ros.coordinator.coordinator import ModuleCoordinator

LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)


class CoordinatorNode:
    """A node of its own context, spinning in a thread of its own."""

    def __init__(self, name: str = "coordinator", namespace: str = "", arguments: list[str] | None = None) -> None:
        self._context = Context()
        self._context.init(args=arguments)
        # Before the first participant, so that it hears of all.
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
        self._services: list[ConcurrentService] = []
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self.node)
        self._thread = threading.Thread(target=self._spin, name="coordinator node", daemon=True)
        self._thread.start()

    def say(self, text: str) -> None:
        """Report progress."""
        self.node.get_logger().info(text)

    def publish(self, records: Iterable[Record]) -> None:
        """Publish what the modules are now."""
        self._modules.publish(self.module_list(records))

    def module_list(self, records: Iterable[Record]) -> ModuleList:
        """The records as a message."""
        return ModuleList(stamp=self.node.get_clock().now().to_msg(), modules=[module_info(r) for r in records])

    def serve(self, coordinator: ModuleCoordinator) -> None:
        """Offer the services that the coordinator answers."""
        answers = Answers(self, coordinator)
        for service_type, name, answer in (
            (RestartModule, "~/restart_module", answers.restart_module),
            (UnloadModule, "~/unload_module", answers.unload_module),
            (RestartNamespace, "~/restart_namespace", answers.restart_namespace),
            (UnloadNamespace, "~/unload_namespace", answers.unload_namespace),
            (LoadBlueprint, "~/load_blueprint", answers.load_blueprint),
            (ListModules, "~/list_modules", answers.list_modules),
            (LoadNode, "~/_container/load_node", answers.load_node),
            (UnloadNode, "~/_container/unload_node", answers.unload_node),
            (ListNodes, "~/_container/list_nodes", answers.list_nodes),
        ):
            self._services.append(ConcurrentService(self.node, service_type, name, answer))

    def close(self) -> None:
        """Destroy the node and its services."""
        for service in self._services:
            service.close()
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


class Answers:
    """What each service answers: ``success`` and a ``message`` in words, whatever was asked."""

    def __init__(self, owner: CoordinatorNode, coordinator: ModuleCoordinator) -> None:
        self._owner = owner
        self._coordinator = coordinator

    def restart_module(self, request: Any) -> Any:
        return self._answer(
            RestartModule,
            lambda: self._coordinator.restart_module(
                request.class_name, request.node_namespace, request.node_name, reload_source=request.reload_source
            ),
        )

    def unload_module(self, request: Any) -> Any:
        return self._answer(
            UnloadModule,
            lambda: self._coordinator.unload_module(request.class_name, request.node_namespace, request.node_name),
        )

    def restart_namespace(self, request: Any) -> Any:
        return self._answer(
            RestartNamespace,
            lambda: self._coordinator.restart_namespace(request.node_namespace, reload_source=request.reload_source),
        )

    def unload_namespace(self, request: Any) -> Any:
        return self._answer(UnloadNamespace, lambda: self._coordinator.unload_namespace(request.node_namespace))

    def load_blueprint(self, request: Any) -> Any:
        return self._answer(LoadBlueprint, lambda: self._coordinator.load_source(source_of(request)))

    def list_modules(self, request: Any) -> Any:
        records = self._coordinator.records()
        modules = [module_info(record) for record in records]
        up = sum(record.is_up for record in records)
        return ListModules.Response(success=True, message=f"{up} of {len(records)} modules are up", modules=modules)

    def load_node(self, request: Any) -> Any:
        try:
            record = self._coordinator.load_request(from_message(request))
        except DimosError as error:
            return LoadNode.Response(success=False, error_message=str(error))
        return LoadNode.Response(success=True, full_node_name=record.key.full_node_name, unique_id=record.unique_id)

    def unload_node(self, request: Any) -> Any:
        try:
            done = self._coordinator.unload_id(request.unique_id)
        except DimosError as error:
            return UnloadNode.Response(success=False, error_message=str(error))
        if done is None:
            return UnloadNode.Response(
                success=False, error_message=f"No node found with unique_id: {request.unique_id}"
            )
        return UnloadNode.Response(success=True)

    def list_nodes(self, request: Any) -> Any:
        records = [record for record in self._coordinator.records() if record.node_id]
        return ListNodes.Response(
            full_node_names=[record.key.full_node_name for record in records],
            unique_ids=[record.unique_id for record in records],
        )

    def _answer(self, service_type: Any, action: Callable[[], str]) -> Any:
        try:
            message = action()
        except DimosError as error:
            self._owner.say(f"refused: {error}")
            return service_type.Response(success=False, message=str(error))
        self._owner.say(message)
        return service_type.Response(success=True, message=message)


def module_info(record: Record) -> ModuleInfo:
    """A record as a message."""
    instance = record.instance
    return ModuleInfo(
        node_namespace=instance.key.namespace,
        class_name=instance.class_name,
        node_name=instance.key.name,
        full_node_name=instance.key.full_node_name,
        state=record.state,
        health=record.health,
        container=record.container.name if record.container else "",
        process_id=record.container.pid if record.container else 0,
        restarts=record.restarts,
        uptime=record.uptime,
        last_error=record.last_error,
        class_path=instance.class_path,
        unique_id=record.unique_id,
    )
