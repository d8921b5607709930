"""Records of instances: the desired state of each, and its observed state."""

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
"""Words for ModuleInfo.health. An active module stays "ok" after a callback raised, because it runs on."""


@dataclass
class Record:
    """Record of one instance: ``instance`` is its desired state with the load request, other fields are observed."""

    instance: Instance
    unique_id: int
    """The coordinator's id of the instance, which ROS interfaces show. It starts at 1 and is never used twice."""
    container: Container | None = None
    node_id: int = 0
    """The container's id of the node; 0 while the node is not loaded."""
    is_managed: bool = True
    state: str = "unloaded"
    health: str = STARTING
    restarts: int = 0
    incarnation: int = 0
    loaded_at: float = 0.0
    last_error: str = ""
    ends_in_a_row: int = 0
    """Unexpected ends of its process in a row, after each of which the instance was loaded again."""
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def key(self) -> InstanceKey:
        return self.instance.key

    @property
    def is_up(self) -> bool:
        """Whether the instance has reached its desired state: active, or loaded if the node has no lifecycle."""
        return self.node_id != 0 and self.state == ("active" if self.is_managed else "unmanaged")

    @property
    def uptime(self) -> float:
        """Seconds since the node was last loaded; 0 while it is not loaded."""
        return time.monotonic() - self.loaded_at if self.node_id else 0.0

    def set_parameters(self, changed: Mapping[str, Any]) -> None:
        """Put new values of parameters into the load request, so that a restart keeps them."""
        request = self.instance.request
        if any(name not in request.parameters or request.parameters[name] != v for name, v in changed.items()):
            parameters = {**request.parameters, **changed}
            self.instance = replace(self.instance, request=replace(request, parameters=parameters))

    def left(self, health: str) -> None:
        """Note that the node does not exist any more, and the health that follows."""
        self.container, self.node_id, self.state, self.health = None, 0, "unloaded", health

    def __str__(self) -> str:
        return f"{self.key} ({self.instance.class_name})"
