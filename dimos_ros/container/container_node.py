"""The node of a container: the services of ``composition_interfaces`` over a :class:`ComponentManager`."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Sequence

from composition_interfaces.srv import ListNodes, LoadNode, UnloadNode
from rcl_interfaces.msg import ParameterDescriptor
from rclpy.context import Context
from rclpy.node import Node
from rclpy.parameter import Parameter

from dimos_ros.container.component_manager import ComponentManager
from dimos_ros.container.destruction import end_type_description
from dimos_ros.container.executors import Spinner
from dimos_ros.container.load_node_message import from_message
from dimos_ros.container.load_record import LoadRecord
from dimos_ros.container.process_manager import ProcessManager
from dimos_ros.exceptions import DimosError, LoadRefusedError
from dimos_ros.loading.load_request import LoadRequest
from dimos_ros.ros.concurrent_service import ConcurrentService
from dimos_ros.ros.errors import error_text, traceback_text


class ContainerNode:
    """The ROS node of a container, whose services load, unload and list nodes. Each request has its own thread.

    With a ``record``, the nodes that a crash left in it are loaded again, and it is kept up to date. A ``lean`` node
    has no services for its own parameters and type descriptions. These services are most of a node's cost, and most
    of the endpoints that other processes have to discover. ``arguments`` are command line arguments that replace those
    of the context. ``on_unload(unique_id)`` is called for each node that a client of the services unloaded.
    """

    def __init__(
        self,
        context: Context,
        name: str,
        namespace: str,
        manager: ComponentManager | ProcessManager,
        record: LoadRecord | None = None,
        lean: bool = False,
        arguments: Sequence[str] = (),
        on_unload: Callable[[int], None] = lambda unique_id: None,
    ) -> None:
        self.manager = manager
        self._record = record
        self._on_unload = on_unload
        self.node = Node(
            name,
            namespace=namespace,
            context=context,
            cli_args=list(arguments),
            use_global_arguments=not arguments,
            start_parameter_services=not lean,
            parameter_overrides=[Parameter("start_type_description_service", value=False)] if lean else None,
        )
        manager.register.reserve(self.node.get_fully_qualified_name())
        self._declare_parameters()
        self._spinner = Spinner("single", context, "container node", self._on_error)
        self._spinner.attach(self.node)
        self._services = [
            ConcurrentService(self.node, LoadNode, "~/_container/load_node", self._load),
            ConcurrentService(self.node, UnloadNode, "~/_container/unload_node", self._unload),
            ConcurrentService(self.node, ListNodes, "~/_container/list_nodes", self._list),
        ]

        if record is not None:
            manager.register.skip_to(record.last_id)
            for unique_id, request in record.left():
                threading.Thread(target=self._load_again, args=(unique_id, request), daemon=True).start()

    def close(self) -> None:
        """End the services and destroy the node. The manager and its nodes stay as they are."""
        for service in self._services:
            service.close()
        with contextlib.suppress(Exception):
            self._spinner.submit(self._destroy).result(1.0)
        self._spinner.stop()

    def _declare_parameters(self) -> None:
        allowed = self.node.declare_parameter(
            "allowed_packages",
            Parameter.Type.STRING_ARRAY,
            ParameterDescriptor(
                description="packages whose classes may be loaded; an empty list allows all packages", read_only=True
            ),
        )
        if allowed.value:
            self.manager.lookup.allowed_packages = tuple(allowed.value)
        self.node.declare_parameter(
            "unload_timeout",
            5.0,
            ParameterDescriptor(
                description="seconds that an unload may take; a node that does not end by itself is ended by force"
            ),
        )

        self.manager.threads = self.node.declare_parameter(
            "thread_num",
            self.manager.threads or 0,
            ParameterDescriptor(
                description="threads of a multi-threaded executor; 0 means one thread per core", read_only=True
            ),
        ).value

    def _load(self, message: LoadNode.Request) -> LoadNode.Response:
        try:
            request = from_message(message)
        except LoadRefusedError as error:
            return LoadNode.Response(success=False, error_message=str(error))
        return self._load_request(request)

    def _load_request(self, request: LoadRequest, unique_id: int | None = None) -> LoadNode.Response:
        try:
            loaded = self.manager.load(request, unique_id)
        except DimosError as error:
            return LoadNode.Response(success=False, error_message=str(error))
        except BaseException as error:  # also for sys.exit() in a constructor: the client waits for an answer
            text = error_text(error)
            self.node.get_logger().error(f"loading {request.plugin_name} failed: {text}\n{traceback_text(error)}")
            return LoadNode.Response(success=False, error_message=text)
        if self._record is not None:
            self._record.loaded(loaded.unique_id, loaded.name, request)
        return LoadNode.Response(success=True, full_node_name=loaded.name, unique_id=loaded.unique_id)

    def _load_again(self, unique_id: int, request: LoadRequest) -> None:
        response = self._load_request(request, unique_id)
        if response.success:
            self.node.get_logger().info(f"{response.full_node_name} was loaded again, with unique_id {unique_id}")
        else:
            self.node.get_logger().error(f"{request.plugin_name} was not loaded again: {response.error_message}")
            if self._record is not None:
                self._record.unloaded(unique_id)

    def _unload(self, request: UnloadNode.Request) -> UnloadNode.Response:
        result = self.manager.unload(request.unique_id, self.node.get_parameter("unload_timeout").value)
        if result.success:
            if self._record is not None:
                self._record.unloaded(request.unique_id)
            self._on_unload(request.unique_id)
        message = result.error_message or (f"unloaded by force: {result.detail}" if result.forced else "")
        return UnloadNode.Response(success=result.success, error_message=message)

    def _list(self, _: ListNodes.Request) -> ListNodes.Response:
        nodes = self.manager.list()
        return ListNodes.Response(
            unique_ids=[unique_id for unique_id, _ in nodes], full_node_names=[name for _, name in nodes]
        )

    def _destroy(self) -> None:
        self._spinner.detach(self.node)
        end_type_description(self.node)
        self.node.destroy_node()

    def _on_error(self, error: BaseException) -> None:
        self.node.get_logger().error(f"{type(error).__name__}: {error}")
