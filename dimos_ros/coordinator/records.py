"""What the coordinator knows of each instance: what it is to be, and what it is."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from dimos_ros.blueprint.plan import Instance
from dimos_ros.naming.instance_key import InstanceKey

if TYPE_CHECKING:
    from dimos_ros.coordinator.containers import Container

STARTING, OK, RESTARTING, STOPPING = "starting", "ok", "restarting", "stopping"
FAILED, CRASHED, UNLOADED = "failed", "crashed", "unloaded"
"""Words for ModuleInfo.health. An active module whose callback raised is still ok: it goes on."""


@dataclass
class Record:
    """One instance: ``instance`` is the desired state with its load request, the rest is observed."""

    instance: Instance
    unique_id: int
    """The coordinator's id of the instance, from 1, never used twice; the one that ROS interfaces show."""
    container: Container | None = None
    node_id: int = 0
    """The container's id of the node; 0 while it is not loaded."""
    is_managed: bool = True
    state: str = "unloaded"
    health: str = STARTING
    restarts: int = 0
    incarnation: int = 0
    loaded_at: float = 0.0
    last_error: str = ""
    ends_in_a_row: int = 0
    """Ends of its process, unasked and one after the other, that it was brought back from."""
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def key(self) -> InstanceKey:
        return self.instance.key

    @property
    def is_up(self) -> bool:
        """Whether it is what it is to be: active, or for a node that is not managed, loaded."""
        return self.node_id != 0 and self.state == ("active" if self.is_managed else "unmanaged")

    @property
    def uptime(self) -> float:
        """Seconds since it was last loaded; 0 while it is not."""
        return time.monotonic() - self.loaded_at if self.node_id else 0.0

    def set_parameters(self, changed: Mapping[str, Any]) -> None:
        """Have the load request carry parameters as they were last set."""
        request = self.instance.request
        if any(name not in request.parameters or request.parameters[name] != v for name, v in changed.items()):
            parameters = {**request.parameters, **changed}
            self.instance = replace(self.instance, request=replace(request, parameters=parameters))

    def left(self, health: str) -> None:
        """Its node is no more."""
        self.container, self.node_id, self.state, self.health = None, 0, "unloaded", health

    def __str__(self) -> str:
        return f"{self.key} ({self.instance.class_name})"
