"""The coordinator's services. Each request runs one operation, and the response holds its outcome.

A new verb is added in four places:

1. its service, ``interfaces/srv/PauseModule.srv``, which CMake finds by itself;
2. its operation, a method of :class:`~dimos_ros.coordinator.operations.Operations`;
3. its row in :data:`ROWS`, below;
4. its command, ``dimos_ros/cli/verbs/pause.py``, which the command line finds by itself.

One more line in :class:`~dimos_ros.coordinator.coordinator.ModuleCoordinator` makes the operation a Python method.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from composition_interfaces.srv import ListNodes, LoadNode, UnloadNode
from dimos_interfaces.srv import (
    ListModules,
    LoadBlueprint,
    RestartModule,
    RestartNamespace,
    UnloadModule,
    UnloadNamespace,
)
from rclpy.node import Node

from dimos_ros.container.load_node_message import from_message
from dimos_ros.coordinator.load_blueprint_request import source_of
from dimos_ros.coordinator.module_info import module_info
from dimos_ros.coordinator.operations import Operations
from dimos_ros.coordinator.records import Record
from dimos_ros.exceptions import DimosError
from dimos_ros.naming.names import node_name_of
from dimos_ros.naming.wording import shown
from dimos_ros.processes.request_id import is_request_id, new_request_id, request
from dimos_ros.ros.concurrent_service import ConcurrentService

Operation = Coroutine[Any, Any, Any]


def done(message: str) -> dict[str, Any]:
    """Return the fields of the response to a request that was carried out."""
    return {"success": True, "message": message}


def refused(message: str) -> dict[str, Any]:
    """Return the fields of the response to a request that was refused."""
    return {"success": False, "message": message}


def listed(records: Sequence[Record]) -> dict[str, Any]:
    """Return the fields of ``ListModules.Response`` for records."""
    up = sum(record.is_up for record in records)
    return done(f"{up} of {len(records)} modules are up") | {"modules": [module_info(record) for record in records]}


def node_loaded(record: Record) -> dict[str, Any]:
    """Return the fields of ``LoadNode.Response`` for a node that was loaded."""
    return {"success": True, "full_node_name": record.key.full_node_name, "unique_id": record.unique_id}


def node_refused(message: str) -> dict[str, Any]:
    """Return the fields of ``LoadNode.Response`` and ``UnloadNode.Response`` for a request that was refused."""
    return {"success": False, "error_message": message}


def nodes_listed(records: Sequence[Record]) -> dict[str, Any]:
    """Return the fields of ``ListNodes.Response``: the nodes that are loaded."""
    loaded = [record for record in records if record.node_id]
    return {
        "full_node_names": [record.key.full_node_name for record in loaded],
        "unique_ids": [record.unique_id for record in loaded],
    }


@dataclass(frozen=True)
class Row:
    """Row of a service: its type, the operation that a request runs, and the fields of its responses."""

    service_type: Any
    operation: Callable[[Operations, Any], Operation]
    """Makes the operation of a request. Raises DimosError for a request that cannot be read."""
    done: Callable[[Any], Mapping[str, Any]] = done
    """Makes the fields of the response from the result of the operation."""
    refused: Callable[[str], Mapping[str, Any]] = refused
    """Makes the fields of the response from the sentence of an error."""
    below: str = ""
    """Path between the node's name and the service's own name, which follows from the name of its type."""

    @property
    def name(self) -> str:
        """Name of the service, such as ``~/restart_module`` for the type ``RestartModule``."""
        return f"~/{self.below}{node_name_of(self.service_type.__name__)}"


ROWS = (
    Row(
        RestartModule,
        lambda fleet, asked: fleet.restart_module(
            asked.class_name, asked.node_namespace, asked.node_name, reload_source=asked.reload_source
        ),
    ),
    Row(
        UnloadModule,
        lambda fleet, asked: fleet.unload_module(asked.class_name, asked.node_namespace, asked.node_name),
    ),
    Row(
        RestartNamespace,
        lambda fleet, asked: fleet.restart_namespace(asked.node_namespace, reload_source=asked.reload_source),
    ),
    Row(UnloadNamespace, lambda fleet, asked: fleet.unload_namespace(asked.node_namespace)),
    Row(LoadBlueprint, lambda fleet, asked: fleet.load_source(source_of(asked))),
    Row(
        ListModules,
        lambda fleet, asked: fleet.records(asked.class_name, asked.node_namespace, asked.node_name, one=asked.one),
        listed,
    ),
    Row(
        LoadNode,
        lambda fleet, asked: fleet.load_request(from_message(asked)),
        node_loaded,
        node_refused,
        below="_container/",
    ),
    Row(
        UnloadNode,
        lambda fleet, asked: fleet.unload_id(asked.unique_id),
        lambda message: {"success": True},
        node_refused,
        below="_container/",
    ),
    Row(ListNodes, lambda fleet, asked: fleet.records(), nodes_listed, lambda message: {}, below="_container/"),
)


class Services:
    """Services of the coordinator's ``node``.

    ``run`` runs an operation in the coordinator's loop and returns its result; ``say`` logs a line.
    """

    def __init__(
        self, node: Node, operations: Operations, run: Callable[[Operation], Any], say: Callable[[str], None]
    ) -> None:
        self._operations = operations
        self._run = run
        self._say = say
        self._services = [
            ConcurrentService(node, row.service_type, row.name, partial(self._answer, row)) for row in ROWS
        ]

    def close(self) -> None:
        """Destroy the services, so that no more requests arrive."""
        for service in self._services:
            service.close()

    def _answer(self, row: Row, asked: Any) -> Any:
        """Run the operation of a request under the id of the request, or under a new one; return the response."""
        number = getattr(asked, "request_id", "") or new_request_id()
        if not is_request_id(number):
            return self._refuse(
                row,
                f"request_id takes 1 to 40 letters, digits, '_', '.' and '-', not {shown(number)}; "
                "leave it empty, and the coordinator chooses one",
            )
        with request(number):
            try:
                operation = row.operation(self._operations, asked)
            except DimosError as error:
                return self._refuse(row, str(error), f"#{number} ")
            try:
                fields = row.done(self._run(operation))
            except DimosError as error:  # the operation has logged it
                fields = row.refused(str(error))
        return row.service_type.Response(**fields)

    def _refuse(self, row: Row, message: str, prefix: str = "") -> Any:
        self._say(f"{prefix}refused: {message}")
        return row.service_type.Response(**row.refused(message))
