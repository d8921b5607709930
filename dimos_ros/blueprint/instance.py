"""One instance of a plan: its load request, its streams on their topics, its references."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from dimos_ros.declaration.interface import Direction
from dimos_ros.declaration.qos import QoS
from dimos_ros.loading.load_request import LoadRequest
from dimos_ros.naming.instance_key import InstanceKey
from dimos_ros.naming.names import absolute, join

TF_RULES = ("/tf:=tf", "/tf_static:=tf_static")
"""Remap rules of every instance. They give each namespace a TF tree of its own."""


def container_of(key: InstanceKey, dedicated: bool) -> str:
    """Return the full node name of an instance's container: its own if ``dedicated``, else its namespace's."""
    name = f"{key.name}_container" if dedicated else "container"
    return absolute(join(key.namespace, name))


@dataclass(frozen=True)
class PlannedStream:
    """A stream on its topic, which is absolute and remapped. ``message_type`` is like ``sensor_msgs/msg/LaserScan``."""

    name: str
    direction: Direction
    topic: str
    message_type: str
    qos: QoS

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> PlannedStream:
        """Return the stream that ``dataclasses.asdict`` wrote."""
        return cls(**{**data, "qos": QoS(**data["qos"])})


@dataclass(frozen=True)
class Instance:
    """One module of the plan.

    ``bases`` are the import paths of its class, its own first, and of the Module classes above it; a reference may ask
    for any of them. ``container`` is the full node name of its container. ``reference_names`` are the parameters of the
    request that name the targets of references. Instances start by ``stage``, 0 first: a target before the modules
    that refer to it.
    """

    class_name: str
    bases: tuple[str, ...]
    summary: str
    container: str
    request: LoadRequest
    streams: tuple[PlannedStream, ...]
    reference_names: tuple[str, ...]
    calls: tuple[str, ...]
    stage: int = 0

    @functools.cached_property
    def key(self) -> InstanceKey:
        """The identity: namespace and node name of the request."""
        return InstanceKey(self.request.node_namespace, self.request.node_name)

    @property
    def class_path(self) -> str:
        """The import path of the class."""
        return self.bases[0]

    @property
    def references(self) -> dict[str, str]:
        """The full node name of each reference's target, ``""`` for none."""
        return {name: str(self.request.parameters[name]) for name in self.reference_names}

    def __str__(self) -> str:
        return f"{self.key} ({self.class_name})"

    def to_dict(self) -> dict[str, Any]:
        """Return the instance as data that JSON holds without loss, and what follows from it for people."""
        return {
            "key": {"namespace": self.key.namespace, "name": self.key.name},
            "class_name": self.class_name,
            "class_path": self.class_path,
            "bases": list(self.bases),
            "summary": self.summary,
            "container": self.container,
            "request": self.request.to_dict(),
            "streams": [asdict(stream) for stream in self.streams],
            "references": self.references,
            "calls": list(self.calls),
            "stage": self.stage,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Instance:
        """Return the instance that :meth:`to_dict` wrote."""
        return cls(
            class_name=data["class_name"],
            bases=tuple(data["bases"]),
            summary=data["summary"],
            container=data["container"],
            request=LoadRequest.from_dict(data["request"]),
            streams=tuple(PlannedStream.from_dict(stream) for stream in data["streams"]),
            reference_names=tuple(data["references"]),
            calls=tuple(data["calls"]),
            stage=data["stage"],
        )
