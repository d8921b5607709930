"""A fleet as a graph: instances, the topics between them, and who refers to whom. Pure data."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dimos_ros.blueprint.plan import Plan


@dataclass(frozen=True, order=True)
class Vertex:
    """An instance, by its full node name; ``state`` is its lifecycle state, "" where it does not run."""

    full_name: str
    class_name: str
    state: str = ""

    @property
    def namespace(self) -> str:
        """Without slashes at its ends; "" is the global one."""
        return self.full_name.rpartition("/")[0].strip("/")

    @property
    def name(self) -> str:
        return self.full_name.rpartition("/")[2]


@dataclass(frozen=True, order=True)
class Link:
    """One end of a stream: an instance publishes (``out``) or subscribes to (``in``) a topic."""

    instance: str
    topic: str
    direction: str
    message_type: str = ""


@dataclass(frozen=True, order=True)
class Reference:
    """An instance has a handle, under an attribute's name, to another one's calls."""

    instance: str
    target: str
    name: str


@dataclass(frozen=True)
class FleetGraph:
    """Sorted, so that equal fleets give equal text."""

    vertices: tuple[Vertex, ...]
    links: tuple[Link, ...]
    references: tuple[Reference, ...]

    @classmethod
    def of(cls, vertices: Iterable[Vertex], links: Iterable[Link], references: Iterable[Reference]) -> FleetGraph:
        return cls(tuple(sorted(set(vertices))), tuple(sorted(set(links))), tuple(sorted(set(references))))

    @classmethod
    def of_plan(cls, plan: Plan) -> FleetGraph:
        """The graph of what a blueprint compiles to, without running it."""
        vertices, links, references = [], [], []
        for instance in plan:
            name = instance.key.full_node_name
            vertices.append(Vertex(name, instance.class_name))
            links += [Link(name, s.topic, s.direction, s.message_type) for s in instance.streams]
            references += [Reference(name, to, attribute) for attribute, to in instance.references.items() if to]
        return cls.of(vertices, links, references)

    @property
    def topics(self) -> list[str]:
        return sorted({link.topic for link in self.links})

    def to_dict(self) -> dict[str, Any]:
        """For JSON: instances, streams (a topic with its publishers and subscribers), references."""
        streams = []
        for topic in self.topics:
            ends = [link for link in self.links if link.topic == topic]
            streams.append(
                {
                    "topic": topic,
                    "type": ends[0].message_type,
                    "publishers": [end.instance for end in ends if end.direction == "out"],
                    "subscribers": [end.instance for end in ends if end.direction == "in"],
                }
            )
        return {
            "instances": [
                {"name": v.full_name, "namespace": v.namespace, "class": v.class_name, "state": v.state}
                for v in self.vertices
            ],
            "streams": streams,
            "references": [{"from": r.instance, "to": r.target, "name": r.name} for r in self.references],
        }
