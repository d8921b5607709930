"""The graph of a fleet as pure data: instances, the topics between them, and their references to each other."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dimos_ros.cli.module_status import ModuleStatus

if TYPE_CHECKING:
    from dimos_ros.blueprint.plan import Plan


@dataclass(frozen=True, order=True)
class StreamLink:
    """Link between an instance and a topic that it publishes (``out``) or subscribes to (``in``)."""

    instance: str
    topic: str
    direction: str
    message_type: str = ""


@dataclass(frozen=True, order=True)
class ReferenceLink:
    """Link from an instance to another one (``target``); ``name`` is the attribute that holds the reference."""

    instance: str
    target: str
    name: str


@dataclass(frozen=True)
class FleetGraph:
    """Graph of a fleet, sorted, so that equal fleets give equal text. Links hold full node names of instances."""

    modules: tuple[ModuleStatus, ...]
    links: tuple[StreamLink, ...]
    references: tuple[ReferenceLink, ...]

    @classmethod
    def of(
        cls, modules: Iterable[ModuleStatus], links: Iterable[StreamLink], references: Iterable[ReferenceLink]
    ) -> FleetGraph:
        by_name = sorted(modules, key=lambda module: module.full_node_name)
        return cls(tuple(by_name), tuple(sorted(set(links))), tuple(sorted(set(references))))

    @classmethod
    def of_plan(cls, plan: Plan) -> FleetGraph:
        """Return the graph of a plan, which need not run."""
        modules, links, references = [], [], []
        for instance in plan:
            key, name = instance.key, instance.key.full_node_name
            modules.append(ModuleStatus(key.namespace, instance.class_name, key.name, name))
            links += [StreamLink(name, s.topic, s.direction, s.message_type) for s in instance.streams]
            references += [ReferenceLink(name, to, attribute) for attribute, to in instance.references.items() if to]
        return cls.of(modules, links, references)

    @property
    def topics(self) -> list[str]:
        return sorted({link.topic for link in self.links})

    def to_dict(self) -> dict[str, Any]:
        """Return the graph for JSON: instances, streams (a topic with its publishers and subscribers), references."""
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
                {"name": m.full_node_name, "namespace": m.node_namespace, "class": m.class_name, "state": m.state}
                for m in self.modules
            ],
            "streams": streams,
            "references": [{"from": r.instance, "to": r.target, "name": r.name} for r in self.references],
        }
