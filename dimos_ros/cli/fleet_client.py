"""The client of a coordinator and its modules. Every wait has a bound, and every failure has a sentence."""

from __future__ import annotations

import argparse
import importlib
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Any

from dimos_ros.cli.errors import CommandError, UnreachableError, UsageError
from dimos_ros.cli.module_status import ModuleStatus
from dimos_ros.cli.output import Output
from dimos_ros.exceptions import InvalidNameError
from dimos_ros.naming.names import absolute, node_name_of, normalize_namespace
from dimos_ros.naming.wording import listed, shown
from dimos_ros.processes.request_id import is_request_id, new_request_id

DEFAULT_COORDINATOR = "/coordinator"
DEFAULT_TIMEOUT = 60.0
"""Seconds to wait for a reply. A restart waits until the old instance has stopped and the new one is active."""
DISCOVERY_SECONDS = 10.0
"""Seconds after which an undiscovered node counts as absent. DDS sometimes takes 5 to discover one."""
LIST_TYPE = "dimos_interfaces/srv/ListModules"


class FleetClient:
    """Client of a coordinator: a node in the shell's ROS domain, for the time of one command.

    ``coordinator`` is the coordinator's full node name, ``timeout`` the seconds to wait for a reply. Raises
    UsageError for a name that a node cannot have, and UnreachableError if ROS 2 or the interfaces of this package
    are missing.
    """

    def __init__(self, coordinator: str = DEFAULT_COORDINATOR, timeout: float = DEFAULT_TIMEOUT) -> None:
        self.coordinator = _full_node_name(coordinator)
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

    def list_modules(
        self, namespace: str = "", class_name: str = "", node_name: str = "", *, one: bool = False
    ) -> list[ModuleStatus]:
        """Return the modules that the coordinator selects by these names; without names, all modules.

        With ``one``, exactly one module has to fit. Raises CommandError with the coordinator's reason if it refuses,
        UnreachableError.
        """
        names = {"node_namespace": namespace, "class_name": class_name, "node_name": node_name}
        response = self.ask_coordinator("ListModules", **names, one=one)
        if not response.success:
            raise CommandError(response.message)
        return [ModuleStatus.from_message(module) for module in response.modules]

    def find_module(self, namespace: str, class_name: str, node_name: str = "") -> ModuleStatus:
        """Return the one module that fits. Raises the errors of :meth:`list_modules`."""
        (module,) = self.list_modules(namespace, class_name, node_name, one=True)
        return module

    def ask_coordinator(self, service: str, request_id: str = "", **fields: Any) -> Any:
        """Return the coordinator's response to a request; ``service`` is the name of the service type.

        Raises UnreachableError.
        """
        service_type = getattr(self._services, service)
        request = service_type.Request(**fields)
        if hasattr(request, "request_id"):
            request.request_id = request_id
        # The name of a service follows from its type: restart_module has the type RestartModule.
        return self.call_service(f"{self.coordinator}/{node_name_of(service)}", service_type, request)

    def watch(self, changed: Callable[[list[ModuleStatus]], None], tick: Callable[[], None], period: float) -> None:
        """Call ``changed`` with each state of the fleet, and ``tick`` about every ``period`` seconds.

        Returns when the coordinator has ended. Raises UnreachableError if the coordinator was not found.
        """
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
                    raise UnreachableError(self._absent(self.coordinator))
        finally:
            executor.shutdown()
            self.node.destroy_subscription(subscription)

    # ------------------------------------------------------------------------------------------ any service

    def call_service(self, name: str, service_type: Any, request: Any) -> Any:
        """Return the reply of a service. Raises UnreachableError if it is absent or does not reply in time."""
        with self._caller(name, service_type) as caller:
            node_name = name.rpartition("/")[0]
            if not caller.wait_for_service(min(self.timeout, DISCOVERY_SECONDS)):
                raise UnreachableError(self._absent(node_name))
            try:
                return caller.call(request, self.timeout)
            except TimeoutError:
                number = getattr(request, "request_id", "")
                raise UnreachableError(
                    f"{node_name} did not reply to {name.rpartition('/')[2]} within {self.timeout:g} s and may still "
                    "be working on it: `fleet list` shows the outcome, --timeout waits longer"
                    + (f"; #{number} marks the request in the logs" if number else "")
                ) from None
            except ConnectionError:
                raise UnreachableError(f"{node_name} ended before it replied") from None

    def call_method(self, full_node_name: str, method: str, arguments: str) -> Any:
        """Return the response of a module's ``~/call``. Raises UnreachableError."""
        request = self._services.Call.Request(method=method, arguments=arguments)
        return self.call_service(f"{full_node_name}/call", self._services.Call, request)

    @contextmanager
    def _caller(self, name: str, service_type: Any) -> Iterator[Any]:
        from dimos_ros.ros.service_caller import ServiceCaller

        caller = ServiceCaller(self.node, service_type, name)
        try:
            yield caller
        finally:
            caller.close()

    def _absent(self, node_name: str) -> str:
        """Return the sentence about a node that was not found: which coordinators were found, and what helps."""
        domain = os.environ.get("ROS_DOMAIN_ID", "0")
        if node_name != self.coordinator:
            return f"{node_name} was not found in ROS domain {domain}, or does not answer calls"
        there = self._coordinators()
        sentence = f"no coordinator {node_name} in ROS domain {domain}"
        if there:
            return f"{sentence}; there is {listed(there)}: --coordinator {there[0]}"
        return (
            f"{sentence}, nor any other; start a fleet (ros2 launch dimos_ros multi_robot.launch.py), "
            "or set ROS_DOMAIN_ID to the domain of the fleet that runs"
        )

    def _coordinators(self) -> list[str]:
        """Return the names of all coordinators discovered so far: the nodes that serve a list of modules."""
        from rclpy.node import NodeNameNonExistentError

        found = set()
        for name, space in self.node.get_node_names_and_namespaces():
            # The list of all services contains clients too. Only the list of one node has its servers alone.
            with suppress(NodeNameNonExistentError):
                for service, types in self.node.get_service_names_and_types_by_node(name, space):
                    if LIST_TYPE in types and service.endswith("/list_modules"):
                        found.add(service.removesuffix("/list_modules"))
        return sorted(found)


def add_request_id(parser: argparse.ArgumentParser) -> None:
    """Add ``--request-id``, which every verb that changes the fleet has."""
    parser.add_argument(
        "--request-id",
        type=_request_id,
        default=new_request_id(),
        metavar="ID",
        help="id that marks this request in the logs of all processes (default: a random id)",
    )


def change_fleet(given: argparse.Namespace, output: Output, service: str, /, **fields: Any) -> None:
    """Ask the coordinator for a change and print its answer. Raises CommandError with its reason if it refuses."""
    with FleetClient(given.coordinator, given.timeout) as client:
        response = client.ask_coordinator(service, given.request_id, **fields)
    if not response.success:
        raise CommandError(response.message)
    output.result(response.message)


def _request_id(text: str) -> str:
    if not is_request_id(text):
        raise argparse.ArgumentTypeError(f"takes 1 to 40 letters, digits, '_', '.' and '-', not {shown(text)}")
    return text


def _full_node_name(text: str) -> str:
    """Return the coordinator's full node name. It is checked as a namespace, which has the same form."""
    takes = f"--coordinator takes the full name of a node, such as {DEFAULT_COORDINATOR}"
    try:
        name = normalize_namespace(text)
    except InvalidNameError as error:
        raise UsageError(f"{takes}: {error}") from None
    if not name:
        raise UsageError(f"{takes}, not {shown(text)}")
    return absolute(name)


def _import(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        remedy = (
            "source the setup file of ROS 2"
            if name == "rclpy"
            else "build this package with colcon and source its workspace"
        )
        raise UnreachableError(f"{name} cannot be imported ({error}): {remedy}") from error
