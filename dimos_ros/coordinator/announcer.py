"""Announcements of changes: containers get the fleet's directory, and the node publishes the list of modules."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from dimos_ros.calls.directory import Directory
from dimos_ros.container.protocol import FleetChanged
from dimos_ros.coordinator.containers import Container
from dimos_ros.coordinator.engine import Engine
from dimos_ros.coordinator.records import RESTARTING, Record

PAUSE = 0.02
"""Seconds between two announcements. A fleet that starts changes often, so one announcement takes many changes."""


class StateAnnouncer:
    """Announcer of the fleet's state. All its methods are called in the coordinator's loop."""

    def __init__(self, fleet: Engine, directory: Directory, publish: Callable[[list[Record]], None]) -> None:
        self._engine = fleet
        self._directory = directory
        self._publish = publish
        self._told: dict[str, Any] = {}
        self._informed: set[Container] = set()
        self._planned: asyncio.TimerHandle | None = None
        self._last = 0.0

    def changed(self) -> None:
        """Announce a change at once; within :data:`PAUSE` of the last announcement, when the pause is over."""
        if self._planned is not None:
            return
        loop = asyncio.get_running_loop()
        if loop.time() >= self._last + PAUSE:
            self._tell()
        else:
            self._planned = loop.call_at(self._last + PAUSE, self._tell)

    def catch_up(self) -> None:
        """Announce changes that still wait. Called before a response says that they are done."""
        if self._planned is not None:
            self._planned.cancel()
            self._tell()

    def _tell(self) -> None:
        self._planned = None
        self._last = asyncio.get_running_loop().time()
        records = list(self._engine.records.values())
        table = {record.key.full_node_name: _entry(record) for record in records}
        changes = {name: entry for name, entry in table.items() if self._told.get(name) != entry}
        gone = [name for name in self._told if name not in table]
        if changes or gone:
            self._directory.apply(changes, gone)
        containers = self._engine.containers.all
        for container in containers:
            if container not in self._informed:
                container.tell(FleetChanged(table))
            elif changes or gone:
                container.tell(FleetChanged(changes, tuple(gone)))
        self._informed = set(containers)
        self._told = table
        self._publish(records)


def _entry(record: Record) -> dict[str, Any]:
    """Return the directory's entry of an instance: the facts that its callers need."""
    return {
        "class_name": record.instance.class_name,
        "incarnation": record.incarnation,
        "state": record.state,
        "restarting": record.health == RESTARTING,
    }
