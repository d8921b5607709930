"""A client and a process of a container, for tests that use composition_interfaces and standard ROS alone."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import rclpy
from composition_interfaces.srv import ListNodes, LoadNode, UnloadNode
from conftest import wait_until
from rcl_interfaces.msg import Log
from rcl_interfaces.srv import GetParameters
from rclpy.context import Context
from rclpy.exceptions import InvalidHandle
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node, NodeNameNonExistentError
from rclpy.parameter import Parameter, parameter_value_to_python
from rclpy.qos import DurabilityPolicy, QoSProfile

PACKAGE = "container_nodes"
"""The package whose classes the tests load; :func:`registered_nodes` installs it."""

DISTRIBUTION = """Metadata-Version: 2.1
Name: {name}
Version: 1.0
"""


def register(folder: Path, name: str, **groups: dict[str, str]) -> None:
    """Write the entry points of an installed package into ``folder``, which is on PYTHONPATH."""
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(DISTRIBUTION.format(name=name))
    lines = []
    for group, entries in groups.items():
        lines += [f"[{group.replace('__', '.')}]", *(f"{key} = {value}" for key, value in entries.items())]
    (info / "entry_points.txt").write_text("\n".join(lines))


def registered_nodes(folder: Path) -> str:
    """Return a PYTHONPATH on which container_nodes is a package that registers its classes."""
    here = str(Path(__file__).resolve().parent)
    names = re.findall(r"^class (\w+)\(", Path(here, f"{PACKAGE}.py").read_text(), re.MULTILINE)
    register(folder, PACKAGE, rclpy_components={f"{PACKAGE}::{name}": f"{PACKAGE}:{name}" for name in names})
    return os.pathsep.join([str(folder), here, *os.environ.get("PYTHONPATH", "").split(os.pathsep)])


class ContainerProcess:
    """A container of dimos_ros in a process of its own."""

    def __init__(self, folder: Path, *arguments: str, name: str = "/container", domain: int | None = None) -> None:
        self.name = name
        namespace, _, node_name = name.rpartition("/")
        ros = ["--ros-args", "-r", f"__node:={node_name}"]
        ros += ["-r", f"__ns:={namespace}"] if namespace else []
        own = arguments[: arguments.index("--ros-args")] if "--ros-args" in arguments else arguments
        ros += arguments[len(own) + 1 :]
        folder.mkdir(exist_ok=True)
        self.log = folder / "container.log"
        environment = {**os.environ, "PYTHONPATH": registered_nodes(folder / "python")}
        if domain is not None:
            environment["ROS_DOMAIN_ID"] = str(domain)
            environment["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
        program = "from dimos_ros.container.main import main; main()"
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", program, *own, *ros],
                env=environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def __enter__(self) -> ContainerProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def stop(self, number: int = signal.SIGINT, timeout: float = 20.0) -> int:
        """Send a signal and return the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(timeout)

    def close(self) -> None:
        """End the process in any state, and the processes that it has started."""
        if self.process.poll() is None:
            self.process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(10.0)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(10.0)


class ContainerClient:
    """A client with a node and a thread of its own. It calls a container's services and observes its nodes."""

    def __init__(self, container: str, domain: int | None = None) -> None:
        self.container = container
        self.context = Context()
        self.context.init(args=[], domain_id=domain)
        self.node = Node(f"client_{os.getpid()}_{id(self) % 100000}", context=self.context, use_global_arguments=False)
        self._executor = SingleThreadedExecutor(context=self.context)
        self._executor.add_node(self.node)
        self._closing = False
        self._thread = threading.Thread(target=self._spin, daemon=True)
        self._thread.start()
        try:
            self.load_service = self.client(LoadNode, f"{container}/_container/load_node")
            self.unload_service = self.client(UnloadNode, f"{container}/_container/unload_node")
            self.list_service = self.client(ListNodes, f"{container}/_container/list_nodes")
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> ContainerClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _spin(self) -> None:
        while self.context.ok() and not self._closing:
            # The tests' thread adds and removes endpoints, at which rclpy's executor raises.
            with contextlib.suppress(ExternalShutdownException, InvalidHandle):
                self._executor.spin_once(timeout_sec=0.5)

    def close(self) -> None:
        self._closing = True
        self._thread.join(5.0)
        self._executor.shutdown()
        self.context.try_shutdown()

    def client(self, kind: Any, name: str) -> Any:
        """Return a service client after it has found its service."""
        client = self.node.create_client(kind, name, qos_profile=QoSProfile(depth=200))
        wait_until(client.service_is_ready, 30.0, f"service {name}")
        return client

    def send(self, client: Any, request: Any) -> Any:
        """Start a call and return its future."""
        return client.call_async(request)

    def call(self, client: Any, request: Any, timeout: float = 30.0) -> Any:
        """Make a call and return the answer."""
        future = client.call_async(request)
        done = threading.Event()
        future.add_done_callback(lambda _: done.set())
        assert done.wait(timeout), f"{client.srv_name} did not answer within {timeout} s"
        return future.result()

    def request(self, plugin: str, *, package: str = PACKAGE, **fields: Any) -> LoadNode.Request:
        """Return a load request. Parameters and extra arguments are dictionaries; a plugin may be a class name."""
        for field in ("parameters", "extra_arguments"):
            values = fields.get(field, {})
            fields[field] = [Parameter(name, value=value).to_parameter_msg() for name, value in values.items()]
        plugin = plugin if ":" in plugin or package != PACKAGE else f"{PACKAGE}::{plugin}"
        return LoadNode.Request(package_name=package, plugin_name=plugin, **fields)

    def load(self, plugin: str, *, timeout: float = 30.0, **fields: Any) -> LoadNode.Response:
        return self.call(self.load_service, self.request(plugin, **fields), timeout)

    def loaded(self, plugin: str, **fields: Any) -> LoadNode.Response:
        """Load a node, check that this succeeds, and return the answer."""
        response = self.load(plugin, **fields)
        assert response.success, response.error_message
        return response

    def unload(self, unique_id: int, timeout: float = 30.0) -> UnloadNode.Response:
        return self.call(self.unload_service, UnloadNode.Request(unique_id=unique_id), timeout)

    def list(self, timeout: float = 30.0) -> dict[int, str]:
        """Return the answer of list_nodes: full names by id, in its order."""
        response = self.call(self.list_service, ListNodes.Request(), timeout)
        return dict(zip(response.unique_ids, response.full_node_names, strict=True))

    def unload_all(self) -> None:
        """Unload all nodes."""
        for unique_id in self.list():
            self.unload(unique_id)

    def parameters(self, node: str, *names: str) -> list[Any]:
        """Return the values of a node's parameters."""
        client = self.client(GetParameters, f"{node}/get_parameters")
        try:
            values = self.call(client, GetParameters.Request(names=names)).values
        finally:
            self.node.destroy_client(client)
        return [parameter_value_to_python(value) for value in values]

    def nodes(self) -> list[str]:
        """Return the full names of the nodes in the graph."""
        return self.node.get_fully_qualified_node_names()

    def services_of(self, node: str) -> dict[str, list[str]]:
        """Return a node's services and their types; none while the node is not in the graph."""
        namespace, _, name = node.rpartition("/")
        try:
            return dict(self.node.get_service_names_and_types_by_node(name, namespace or "/"))
        except NodeNameNonExistentError:
            return {}

    @contextlib.contextmanager
    def heard(self, kind: Any, topic: str, qos: QoSProfile | int = 100) -> Iterator[list[Any]]:
        """Collect the messages of a topic, after the subscription has found a publisher."""
        messages: list[Any] = []
        subscription = self.node.create_subscription(kind, topic, messages.append, qos)
        try:
            wait_until(lambda: self.node.count_publishers(topic), what=f"a publisher on {topic}")
            yield messages
        finally:
            self.node.destroy_subscription(subscription)

    @contextlib.contextmanager
    def logs(self) -> Iterator[list[Log]]:
        """Collect the log messages of all nodes."""
        qos = QoSProfile(depth=1000, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        with self.heard(Log, "/rosout", qos) as messages:
            yield messages

    def publish_unacknowledged(self, kind: Any, topic: str, message: Any) -> Any:
        """Send one message after a subscription is found, and return the publisher."""
        publisher = self.node.create_publisher(kind, topic, 10)
        wait_until(publisher.get_subscription_count, what=f"a subscription on {topic}")
        publisher.publish(message)
        return publisher

    def publish(self, kind: Any, topic: str, message: Any) -> None:
        """Send one message, and wait until the subscription has acknowledged it."""
        publisher = self.publish_unacknowledged(kind, topic, message)
        if not publisher.wait_for_all_acked(rclpy.duration.Duration(seconds=5.0)):
            raise TimeoutError(f"no subscription acknowledged a message on {topic}")
        self.node.destroy_publisher(publisher)
