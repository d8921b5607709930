"""The messages between a container process and its owner on the control channel.

The owner is the coordinator, or a container that runs each of its nodes in a process of its own. Both ends use these
classes alone. A change that an older process would not understand needs a new :data:`VERSION`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dimos_ros.loading.load_request import LoadRequest
from dimos_ros.loading.values import ParameterValue, from_data, to_data
from dimos_ros.processes.message import Event, Message, Notice, Protocol, Request

VERSION = 1


# ---------------------------------------------------------------------------------------------------- answers


@dataclass(frozen=True)
class Loaded(Message):
    """A node that runs in a container. ``state`` is the label of its lifecycle state, or "unmanaged"."""

    unique_id: int
    full_node_name: str
    is_managed: bool
    state: str

    @property
    def subject(self) -> str:
        return self.full_node_name


@dataclass(frozen=True)
class Hosted(Message):
    """All nodes of a container, by id."""

    nodes: tuple[Loaded, ...]

    def to_data(self) -> dict[str, Any]:
        return {"nodes": [node.to_data() for node in self.nodes]}

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Hosted:
        return cls(tuple(Loaded.from_data(node) for node in data["nodes"]))


@dataclass(frozen=True)
class Unloaded(Message):
    """The result of an unload.

    ``forced`` is True if the node did not end by itself; ``detail`` then says how it was ended.
    """

    success: bool
    error_message: str = ""
    forced: bool = False
    detail: str = ""


# --------------------------------------------------------------------------------------------------- requests


@dataclass(frozen=True)
class Begin(Request[None]):
    """Become the container with this node name and namespace, and start its ROS services."""

    node_name: str
    node_namespace: str

    @property
    def subject(self) -> str:
        return f"{self.node_namespace.rstrip('/')}/{self.node_name}"

    @property
    def action(self) -> str:
        return "start its node"


@dataclass(frozen=True)
class Join(Request[None]):
    """Join the ROS graph early, as a hidden node, so that other processes discover this one before it is needed."""

    @property
    def action(self) -> str:
        return "join the ROS graph"


@dataclass(frozen=True)
class Preload(Request[None]):
    """Import a class, so that an import error is found before anything else changes."""

    package_name: str
    plugin_name: str

    @property
    def subject(self) -> str:
        return self.plugin_name

    @property
    def action(self) -> str:
        return f"import {self.plugin_name}"


@dataclass(frozen=True)
class Load(Request[Loaded]):
    """Construct a node.

    ``unique_id`` is the id of a node that is loaded again; 0 gives the next free id. ``taken`` has the full names
    and ids of nodes in other processes, so that no name is used twice.
    """

    answer = Loaded
    request: LoadRequest
    unique_id: int = 0
    taken: Mapping[str, int] = field(default_factory=dict)

    @property
    def subject(self) -> str:
        return self.request.full_node_name

    def to_data(self) -> dict[str, Any]:
        return {"request": self.request.to_dict(), "unique_id": self.unique_id, "taken": dict(self.taken)}

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Load:
        return cls(**{**data, "request": LoadRequest.from_dict(data["request"])})


@dataclass(frozen=True)
class Transition(Request[None]):
    """Run a lifecycle transition, such as ``configure``, in the node's own thread, within ``timeout`` seconds.

    :class:`StateChanged` reports the new state before the answer is sent.
    """

    unique_id: int
    full_node_name: str
    transition: str
    timeout: float

    @property
    def subject(self) -> str:
        return f"{self.transition} {self.full_node_name}"

    @property
    def action(self) -> str:
        return self.subject


@dataclass(frozen=True)
class Unload(Request[Unloaded]):
    """Stop and destroy a node. Use force if it does not end within ``timeout`` seconds."""

    answer = Unloaded
    unique_id: int
    full_node_name: str
    timeout: float

    @property
    def subject(self) -> str:
        return self.full_node_name


@dataclass(frozen=True)
class ListHosted(Request[Hosted]):
    """List the nodes of the container."""

    answer = Hosted

    @property
    def action(self) -> str:
        return "list its nodes"


# ---------------------------------------------------------------------------------------------------- notices


@dataclass(frozen=True)
class FleetChanged(Notice):
    """A change of the fleet's instances.

    ``changed`` has the new and the changed instances by full node name, each in the form of
    :meth:`dimos_ros.calls.directory.Known.to_dict`. ``gone`` has the full node names of removed instances.
    """

    changed: Mapping[str, Mapping[str, Any]]
    gone: tuple[str, ...] = ()

    @property
    def subject(self) -> str:
        return ", ".join([*self.changed, *(f"{name} gone" for name in self.gone)])


@dataclass(frozen=True)
class Stop(Notice):
    """Take the nodes down, then end the process."""


# ----------------------------------------------------------------------------------------------------- events


@dataclass(frozen=True)
class StateChanged(Event):
    """A node reached a lifecycle state, at the request of its owner or of any other client."""

    unique_id: int
    state: str

    @property
    def subject(self) -> str:
        return f"{self.unique_id} {self.state}"


@dataclass(frozen=True)
class ErrorRaised(Event):
    """A callback of a node raised an error. ``text`` is one line that names the callback and the error."""

    unique_id: int
    text: str

    @property
    def subject(self) -> str:
        return f"{self.unique_id} {self.text}"


@dataclass(frozen=True)
class ParametersSet(Event):
    """Parameters of a node were set to values of types that a load request can hold."""

    unique_id: int
    changed: Mapping[str, ParameterValue]

    @property
    def subject(self) -> str:
        return f"{self.unique_id} {', '.join(self.changed)}"

    def to_data(self) -> dict[str, Any]:
        return {"unique_id": self.unique_id, "changed": {name: to_data(value) for name, value in self.changed.items()}}

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> ParametersSet:
        return cls(data["unique_id"], {name: from_data(value) for name, value in data["changed"].items()})


@dataclass(frozen=True)
class NodeUnloaded(Event):
    """A client of the container's ROS services unloaded a node, not the container's owner."""

    unique_id: int

    @property
    def subject(self) -> str:
        return str(self.unique_id)


@dataclass(frozen=True)
class JobFinished(Event):
    """A module reported that the job of the whole fleet is done."""

    unique_id: int
    summary: str

    @property
    def subject(self) -> str:
        return f"{self.unique_id} {self.summary}"


PROTOCOL = Protocol(
    VERSION,
    (
        *(Begin, Join, Preload, Load, Transition, Unload, ListHosted),
        *(FleetChanged, Stop),
        *(StateChanged, ErrorRaised, ParametersSet, NodeUnloaded, JobFinished),
    ),
)
