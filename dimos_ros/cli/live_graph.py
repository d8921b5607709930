"""The graph of a running fleet, read from the ROS graph."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from dimos_ros.cli.errors import UnreachableError
from dimos_ros.cli.fleet_client import DISCOVERY_SECONDS, FleetClient
from dimos_ros.cli.fleet_graph import FleetGraph, ReferenceLink, StreamLink
from dimos_ros.cli.module_status import ModuleStatus
from dimos_ros.naming.names import absolute
from dimos_ros.naming.wording import listed

EVERY_NODES_TOPICS = ("/parameter_events", "/rosout", "/clock")
READERS = 8
"""Number of nodes whose parameters are read at the same time."""
SETTLE_SECONDS = 0.5
"""Seconds without a new link after which the links are taken to be complete."""
GRAPH_POLL_SECONDS = 0.05
"""Seconds between two looks at the graph. Without an executor, a thread cannot wait for an event of the graph."""
STRING = 4
"""``rcl_interfaces/msg/ParameterType.PARAMETER_STRING``"""


def live_graph(client: FleetClient, modules: Sequence[ModuleStatus]) -> FleetGraph:
    """Return the graph of modules, read from ROS: their topics and the references between them.

    Raises UnreachableError if a module that runs is not in the ROS graph.
    """
    running = [module for module in modules if module.process_id]
    names = {module.full_node_name for module in modules}
    _wait_for_nodes(client, [module.full_node_name for module in running])
    with ThreadPoolExecutor(READERS) as pool:
        found = list(pool.map(lambda module: _references(client, module.full_node_name, names), running))
    references = [reference for some in found for reference in some]
    return FleetGraph.of(modules, _settled_links(client, running), references)


def _settled_links(client: FleetClient, running: Sequence[ModuleStatus]) -> list[StreamLink]:
    """Return all links, once no new one appears: discovery finds a node first, and its endpoints some time later."""
    links: list[StreamLink] = []
    changed = started = time.monotonic()
    while time.monotonic() < min(changed + SETTLE_SECONDS, started + DISCOVERY_SECONDS):
        found = [link for module in running for link in _links(client, module)]
        if found != links:
            links, changed = found, time.monotonic()
        time.sleep(GRAPH_POLL_SECONDS)
    return links


def _wait_for_nodes(client: FleetClient, wanted: Sequence[str]) -> None:
    deadline = time.monotonic() + min(client.timeout, DISCOVERY_SECONDS)
    while True:
        there = {f"{space.rstrip('/')}/{name}" for name, space in client.node.get_node_names_and_namespaces()}
        missing = [name for name in wanted if name not in there]
        if not missing:
            return
        if time.monotonic() > deadline:
            raise UnreachableError(
                f"the coordinator lists {listed(missing)}, but the ROS graph does not show "
                f"{'it' if len(missing) == 1 else 'them'} after {DISCOVERY_SECONDS:g} s"
            )
        time.sleep(GRAPH_POLL_SECONDS)


def _links(client: FleetClient, module: ModuleStatus) -> list[StreamLink]:
    from rclpy.node import NodeNameNonExistentError

    node, name = client.node, module.full_node_name
    where = (module.node_name, absolute(module.node_namespace))
    try:
        ends = [
            ("out", node.get_publisher_names_and_types_by_node(*where)),
            ("in", node.get_subscriber_names_and_types_by_node(*where)),
        ]
    except NodeNameNonExistentError:
        return []  # it was unloaded or is being restarted
    return [
        StreamLink(name, topic, direction, types[0])
        for direction, topics in ends
        for topic, types in topics
        if topic not in EVERY_NODES_TOPICS and not topic.startswith(f"{name}/")
    ]


def _references(client: FleetClient, name: str, others: set[str]) -> list[ReferenceLink]:
    """Return the references of a module: its parameters whose value names another module of the fleet."""
    from rcl_interfaces.srv import GetParameters, ListParameters

    names = client.call_service(f"{name}/list_parameters", ListParameters, ListParameters.Request()).result.names
    values = client.call_service(f"{name}/get_parameters", GetParameters, GetParameters.Request(names=names)).values
    return [
        ReferenceLink(name, value.string_value, parameter)
        for parameter, value in zip(names, values, strict=True)
        if value.type == STRING and value.string_value in others
    ]
