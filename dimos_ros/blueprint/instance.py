"""One instance of a plan: its load request, its streams on their topics, its references."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from dimos_ros.declaration.interface import Direction
from dimos_ros.declaration.qos import QoS
from dimos_ros.loading.load_request import LoadRequest
from dimos_ros.loading.values import FrozenMap
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

    ``bases`` are the import paths of its class and of the Module classes above it; a reference may ask for any of
    them. ``container`` is the full node name of its container. ``references`` gives the full node name of each
    reference's target, ``""`` for none. Instances start by ``stage``, 0 first: a target before the modules that
    refer to it.
    """

    key: InstanceKey
    class_name: str
    class_path: str
    bases: tuple[str, ...]
    summary: str
    container: str
    request: LoadRequest
    streams: tuple[PlannedStream, ...]
    references: Mapping[str, str]
    calls: tuple[str, ...]
    stage: int = 0

    def __post_init__(self) -> None:
        if not isinstance(self.references, FrozenMap):
            object.__setattr__(self, "references", FrozenMap(self.references))

    def __str__(self) -> str:
        return f"{self.key} ({self.class_name})"

    def to_dict(self) -> dict[str, Any]:
        """Return the instance as data that JSON holds without loss."""
        return {
            "key": {"namespace": self.key.namespace, "name": self.key.name},
            "class_name": self.class_name,
            "class_path": self.class_path,
            "bases": list(self.bases),
            "summary": self.summary,
            "container": self.container,
            "request": self.request.to_dict(),
            "streams": [asdict(stream) for stream in self.streams],
            "references": dict(self.references),
            "calls": list(self.calls),
            "stage": self.stage,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Instance:
        """Return the instance that :meth:`to_dict` wrote."""
        return cls(
            **{
                **data,
                "key": InstanceKey(**data["key"]),
                "bases": tuple(data["bases"]),
                "request": LoadRequest.from_dict(data["request"]),
                "streams": tuple(PlannedStream.from_dict(stream) for stream in data["streams"]),
                "calls": tuple(data["calls"]),
            }
        )
