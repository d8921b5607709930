"""Talking to a running coordinator and its modules: every wait has a bound, every failure a sentence.

The only file of the command line that knows ROS.
"""

from __future__ import annotations

import importlib
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Any

from dimos_ros.cli.errors import UnreachableError
from dimos_ros.cli.module_status import ModuleStatus
from dimos_ros.naming.names import absolute

DEFAULT_COORDINATOR = "/coordinator"
DEFAULT_TIMEOUT = 60.0
"""Seconds for a reply. A restart waits for the old instance to stop and the new one to become active."""
DISCOVERY_SECONDS = 10.0
"""Seconds after which a node that was not found is taken to be absent: DDS at times takes 5 to find one."""
LIST_TYPE = "dimos_interfaces/srv/ListModules"


class FleetClient:
    """A node of its own on the shell's ROS domain, for the time of one command.

    ``coordinator`` is the coordinator's full node name. Raises UnreachableError where ROS 2 or the
    interfaces of this package are missing.
    """

    def __init__(self, coordinator: str = DEFAULT_COORDINATOR, timeout: float = DEFAULT_TIMEOUT) -> None:
        self.coordinator = absolute(coordinator.rstrip("/"))
        self.timeout = timeout
        rclpy = _import("rclpy")
        self._services = _import("dimos_interfaces.srv")
        self._context = rclpy.Context()
        self._context.init()
        try:
            self.node = rclpy.create_node(
                f"fleet_{os.getpid()}",
                context=self._context,
                use_global_arguments=False,
                enable_rosout=False,
                start_parameter_services=False,
            )
        except BaseException:
            self._context.try_shutdown()
            raise

    def __enter__(self) -> FleetClient:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.node.destroy_node()
        self._context.try_shutdown()

    # ------------------------------------------------------------------------------------- the coordinator

    def list_modules(self) -> list[ModuleStatus]:
        """The modules of the fleet. Raises UnreachableError."""
        response = self._ask("list_modules", "ListModules")
        if not response.success:
            raise UnreachableError(response.message)
        return [ModuleStatus.from_message(module) for module in response.modules]

    def request(self, service: str, service_type: str, **fields: Any) -> tuple[bool, str]:
        """Ask the coordinator for something: whether it was done, and its sentence. Raises UnreachableError."""
        response = self._ask(service, service_type, **fields)
        return response.success, response.message

    def watch(self, changed: Callable[[list[ModuleStatus]], None], tick: Callable[[], None], period: float) -> None:
        """Call ``changed`` with each state of the fleet, and ``tick`` every ``period`` seconds, until the
        coordinator has left. Raises UnreachableError if there is none."""
        from rclpy.executors import SingleThreadedExecutor
        from rclpy.qos import DurabilityPolicy, QoSProfile

        message_type = _import("dimos_interfaces.msg").ModuleList
        latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        received = False

        def receive(message: Any) -> None:
            nonlocal received
            received = True
            changed([ModuleStatus.from_message(module) for module in message.modules])

        subscription = self.node.create_subscription(message_type, f"{self.coordinator}/modules", receive, latched)
        executor = SingleThreadedExecutor(context=self._context)
        executor.add_node(self.node)
        deadline = time.monotonic() + min(self.timeout, DISCOVERY_SECONDS)
        try:
            while True:
                executor.spin_once(timeout_sec=period)
                if received:
                    tick()
                    if not self.node.count_publishers(subscription.topic_name):
                        return
                elif time.monotonic() > deadline:
                    raise UnreachableError(self._nobody_there(self.coordinator))
        finally:
            executor.shutdown()
            self.node.destroy_subscription(subscription)

    def _ask(self, service: str, service_type: str, **fields: Any) -> Any:
        request = getattr(self._services, service_type).Request(**fields)
        return self.ask(f"{self.coordinator}/{service}", getattr(self._services, service_type), request)

    # ------------------------------------------------------------------------------------------ any service

    def ask(self, name: str, service_type: Any, request: Any) -> Any:
        """The reply of a service. Raises UnreachableError when it is not there or does not reply."""
        with self._caller(name, service_type) as caller:
            node_name = name.rpartition("/")[0]
            if not caller.wait_for_service(min(self.timeout, DISCOVERY_SECONDS)):
                raise UnreachableError(self._nobody_there(node_name))
            try:
                return caller.call(request, self.timeout)
            except TimeoutError:
                raise UnreachableError(
                    f"{node_name} did not reply to {name.rpartition('/')[2]} within {self.timeout:g} s; it may still "
                    f"be at it: `fleet list` shows what became of it, --timeout waits longer"
                ) from None
            except ConnectionError:
                raise UnreachableError(f"{node_name} ended before it replied") from None

    def call(self, full_node_name: str, method: str, arguments: str) -> Any:
        """The response of a module's ``~/call``. Raises UnreachableError."""
        service_type = self._services.Call
        return self.ask(
            f"{full_node_name}/call", service_type, service_type.Request(method=method, arguments=arguments)
        )

    @contextmanager
    def _caller(self, name: str, service_type: Any) -> Iterator[Any]:
        from dimos_ros.ros.service_caller import ServiceCaller

        caller = ServiceCaller(self.node, service_type, name)
        try:
            yield caller
        finally:
            caller.close()

    def _nobody_there(self, node_name: str) -> str:
        """What to say about a node that was not found: what was found instead, and what would help."""
        domain = os.environ.get("ROS_DOMAIN_ID", "0")
        if node_name != self.coordinator:
            return f"{node_name} is not there, or answers no calls (ROS domain {domain})"
        there = self._coordinators()
        sentence = f"no coordinator {node_name} in ROS domain {domain}"
        if there:
            return f"{sentence}; there is {', '.join(there)}: --coordinator {there[0]}"
        return (
            f"{sentence}, nor any other; start a fleet (ros2 launch dimos_ros multi_robot.launch.py), "
            f"or set ROS_DOMAIN_ID to that of the one that runs"
        )

    def _coordinators(self) -> list[str]:
        """The nodes that list modules, as far as discovered."""
        from rclpy.node import NodeNameNonExistentError

        found = set()
        for name, space in self.node.get_node_names_and_namespaces():
            # Clients count as well in the list of all services, so each node is asked for those it serves.
            with suppress(NodeNameNonExistentError):
                for service, types in self.node.get_service_names_and_types_by_node(name, space):
                    if LIST_TYPE in types and service.endswith("/list_modules"):
                        found.add(service.removesuffix("/list_modules"))
        return sorted(found)


def _import(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        remedy = "source a ROS 2" if name == "rclpy" else "build this package with colcon and source its workspace"
        raise UnreachableError(f"{name} cannot be imported ({error}): {remedy}") from error
