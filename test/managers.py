"""Component managers in the tests' own process, and nodes to load into them. Needs rclpy."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from composition_interfaces.srv import LoadNode
from rclpy.node import Node
from std_msgs.msg import String
from std_srvs.srv import Trigger

from dimos_ros.container.component_manager import ComponentManager
from dimos_ros.container.executors import KINDS
from dimos_ros.container.load_node_message import from_message
from dimos_ros.loading.load_request import LoadRequest
from dimos_ros.module import In, Module, Out


class Plain(Node):
    """A typical node: endpoints whose callbacks are methods."""

    def __init__(self) -> None:
        super().__init__("plain")
        self.thread = threading.get_ident()
        self.ticks: list[int] = []
        self.publisher = self.create_publisher(String, "out", 10)
        self.subscription = self.create_subscription(String, "in", self.on_message, 10)
        self.service = self.create_service(Trigger, "~/ping", self.on_ping)
        self.timer = self.create_timer(0.01, self.on_timer)

    def on_message(self, _: String) -> None: ...

    def on_ping(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        return response

    def on_timer(self) -> None:
        self.ticks.append(threading.get_ident())


class Modular(Module):
    """A module with two streams."""

    scan: In[String]
    map: Out[String]

    def handle_scan(self, _: String) -> None: ...


def request(node_class: type, **fields: Any) -> LoadRequest:
    """Return the load request of a class. ``fields`` are fields of the ROS message."""
    path = f"{node_class.__module__}:{node_class.__name__}"
    return from_message(LoadNode.Request(package_name=node_class.__module__, plugin_name=path, **fields))


@pytest.fixture
def make(context: Any) -> Iterator[Callable[..., ComponentManager]]:
    """A function that makes managers, which are closed at the end.

    A further node keeps the DDS participant alive, as a container's own node does.
    """
    Node("keeper", context=context)
    managers: list[ComponentManager] = []

    def make(**options: Any) -> ComponentManager:
        managers.append(ComponentManager(context, **options))
        return managers[-1]

    yield make
    for manager in managers:
        manager.close()


@pytest.fixture(params=[(kind, isolated) for kind in KINDS for isolated in (True, False)], ids=str)
def manager(request: pytest.FixtureRequest, make: Callable[..., ComponentManager]) -> ComponentManager:
    """A manager with each kind of executor, isolated and not."""
    kind, isolated = request.param
    return make(executor=kind, isolated=isolated)


def loaded(manager: ComponentManager, node_class: type, **fields: Any) -> int:
    return manager.load(request(node_class, **fields)).unique_id
