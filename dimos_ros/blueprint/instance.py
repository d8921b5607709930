"""What a plan says of one instance: its load request, its streams as they are wired, its references."""

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
"""Remap rules of every instance: each namespace has a TF tree of its own."""


def container_of(key: InstanceKey, dedicated: bool) -> str:
    """The full node name of the container that an instance belongs in: one a namespace, or one of its own."""
    name = f"{key.name}_container" if dedicated else "container"
    return absolute(join(key.namespace, name))


@dataclass(frozen=True)
class PlannedStream:
    """A stream on its topic: absolute, after remapping. ``message_type`` is as in ``sensor_msgs/msg/LaserScan``."""

    name: str
    direction: Direction
    topic: str
    message_type: str
    qos: QoS

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> PlannedStream:
        """The inverse of ``dataclasses.asdict``."""
        return cls(**{**data, "qos": QoS(**data["qos"])})


@dataclass(frozen=True)
class Instance:
    """One module of the plan.

    ``bases`` are the import paths of its class and of the Module classes above it, which a reference may ask
    for. ``container`` is the full node name of its container. ``references`` gives the full node name that
    each reference means, ``""`` for none. ``stage`` is its turn: 0 first, referred-to before who refers.
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
        """The instance as JSON holds it, without loss."""
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
        """The inverse of :meth:`to_dict`."""
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
