"""``plan()``: from a blueprint to the load request of every instance. It is a pure function; nothing starts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from dimos_ros.blueprint import render
from dimos_ros.blueprint.blueprint import Blueprint, check_blueprint
from dimos_ros.blueprint.class_path import base_paths, check_importable
from dimos_ros.blueprint.entry import Entry
from dimos_ros.blueprint.error_context import about
from dimos_ros.blueprint.instance import TF_RULES, Instance, PlannedStream, container_of
from dimos_ros.blueprint.references import Candidate, Neighbourhood
from dimos_ros.blueprint.stages import stages
from dimos_ros.blueprint.stream_checks import check_streams
from dimos_ros.declaration.declared import Declared, summary_of
from dimos_ros.declaration.interface import REQUIRED
from dimos_ros.exceptions import BlueprintError, InstanceNotFoundError
from dimos_ros.loading.load_request import LoadRequest
from dimos_ros.naming.import_path import path_of
from dimos_ros.naming.instance_key import InstanceKey
from dimos_ros.naming.names import absolute, join
from dimos_ros.naming.wording import listed, shown

__all__ = ["Instance", "Plan", "PlannedStream", "plan"]


@dataclass(frozen=True)
class Plan:
    """The instances of a blueprint in the order in which they start: by stage, then by key."""

    instances: tuple[Instance, ...] = ()

    def __iter__(self) -> Iterator[Instance]:
        return iter(self.instances)

    def __len__(self) -> int:
        return len(self.instances)

    def get(self, key: InstanceKey | str) -> Instance | None:
        """Return the instance of a key or of ``robot1/mapper``; None if the plan does not have it."""
        name = str(key).strip("/")
        return next((instance for instance in self.instances if str(instance.key) == name), None)

    def __getitem__(self, key: InstanceKey | str) -> Instance:
        """Return the instance like :meth:`get`. Raises InstanceNotFoundError, which lists what the plan has."""
        found = self.get(key)
        if found is None:
            known = listed((str(instance.key) for instance in self.instances), like=str(key))
            raise InstanceNotFoundError(f"no {shown(str(key))} in this plan; it has {known}")
        return found

    def table(self) -> str:
        """Return the plan as text for people, one line for each instance."""
        return render.table(self.instances)

    def yaml(self) -> str:
        """Return the load requests as YAML, by container."""
        return render.yaml(self.instances)

    def to_dict(self) -> dict[str, Any]:
        """Return the plan as data that JSON holds without loss."""
        return {"instances": [instance.to_dict() for instance in self.instances]}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Plan:
        """Return the plan that :meth:`to_dict` wrote."""
        return cls(tuple(Instance.from_dict(instance) for instance in data["instances"]))


def plan(blueprint: Blueprint, running: Iterable[Instance] = ()) -> Plan:
    """Plan the instances of a blueprint, checked against each other and against the running ones.

    A reference may lead to an instance in ``running``, which is not part of the result.

    Raises BlueprintError, which names the instance, if a parameter is not set, a name is taken, or a container cannot
    import a class. So it does if no instance or several fit a reference, or if two types or incompatible qualities of
    service meet on one topic.
    """
    everything = check_blueprint(blueprint, "plan").entries
    entries = [entry for entry in everything if entry.enabled]
    running = tuple(running)
    checked: set[type[Declared]] = set()
    for entry in entries:
        with about(entry.key):
            if entry.module not in checked:
                check_importable(entry.module, str(entry))
                checked.add(entry.module)
            _check_given(entry)
    _check_free(entries, running)

    facts = {module: _facts(module) for module in {entry.module for entry in everything}}
    # Disabled entries come first, so that an error can name them, and a running instance of the same name wins.
    composed = [Candidate(e.key, e.module.__name__, *facts[e.module], enabled=e.enabled) for e in everything]
    neighbourhood = Neighbourhood(
        [
            *(candidate for candidate in composed if not candidate.enabled),
            *(Candidate(i.key, i.class_name, i.bases, i.calls) for i in running),
            *(candidate for candidate in composed if candidate.enabled),
        ]
    )
    targets = {entry.key: _targets(entry, neighbourhood) for entry in entries}
    turns = stages({key: [target for target in found.values() if target] for key, found in targets.items()})
    instances = [_instance(e, *facts[e.module], targets[e.key], turns[e.key]) for e in entries]
    check_streams(instances, running)
    return Plan(tuple(sorted(instances, key=lambda instance: (instance.stage, instance.key))))


def _targets(entry: Entry, neighbourhood: Neighbourhood) -> dict[str, InstanceKey | None]:
    with about(entry.key):
        return {name: neighbourhood.resolve(entry, ref) for name, ref in entry.module.interface().references.items()}


def _facts(module: type[Declared]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the bases and calls of a class, which references look at; computed once for a thousand instances."""
    return base_paths(module), tuple(module.interface().calls)


def _check_free(entries: list[Entry], running: tuple[Instance, ...]) -> None:
    """Raise BlueprintError if a node's name is also that of a running node or of a container."""
    taken = {instance.key: instance for instance in running}
    containers = {instance.container for instance in running} | {
        container_of(entry.key, entry.dedicated) for entry in entries
    }
    names = {instance.key.full_node_name: str(instance) for instance in running}
    for entry in entries:
        node, container = entry.key.full_node_name, container_of(entry.key, entry.dedicated)
        with about(entry.key):
            if entry.key in taken:
                raise BlueprintError(
                    f"{entry} cannot be added: {taken[entry.key]} runs under that name; give the new one another name "
                    "or namespace, or unload the running one first"
                )
            if node in containers:
                name = f"{entry.module.__name__}.blueprint(name=…)"
                raise BlueprintError(f"{entry}: {node} is the name of a container; give the module another: {name}")
            if container in names:
                raise BlueprintError(
                    f"{entry}: its container {container} would have the name of {names[container]}, which is running"
                )


def _check_given(entry: Entry) -> None:
    """Raise BlueprintError for a parameter without default that is not set."""
    for name, parameter in entry.module.interface().parameters.items():
        if parameter.default is REQUIRED and name not in entry.parameters:
            raise BlueprintError(
                f"{entry}: parameter {name!r} ({parameter.kind}) must be set: "
                f"{entry.module.__name__}.blueprint({name}=…)"
            )


def _instance(
    entry: Entry, bases: tuple[str, ...], calls: tuple[str, ...], targets: Mapping[str, InstanceKey | None], stage: int
) -> Instance:
    module, namespace = entry.module, entry.key.namespace
    references = {name: key.full_node_name if key else "" for name, key in targets.items()}
    parameters = {name: value for name, value in entry.parameters.items() if value is not None}
    request = LoadRequest(
        package_name=module.__module__.partition(".")[0],
        plugin_name=path_of(module),
        node_name=entry.key.name,
        node_namespace=f"/{namespace}",
        remap_rules=tuple(_remap_rules(entry)),
        parameters={**parameters, **references},
    )
    streams = tuple(
        PlannedStream(name, stream.direction, absolute(entry.topics[name]), stream.message_type, stream.qos)
        for name, stream in module.interface().streams.items()
    )
    return Instance(
        class_name=module.__name__,
        bases=bases,
        summary=summary_of(module),
        container=container_of(entry.key, entry.dedicated),
        request=request,
        streams=streams,
        reference_names=tuple(references),
        calls=calls,
        stage=stage,
    )


def _remap_rules(entry: Entry) -> Iterator[str]:
    """Yield the rules of streams whose topic differs from their name, then those of TF."""
    namespace = entry.key.namespace
    for stream, topic in entry.topics.items():
        if topic == join(namespace, stream):
            continue
        inside = not topic.startswith("/") and (not namespace or topic.startswith(f"{namespace}/"))
        yield f"{stream}:={topic[len(namespace) :].lstrip('/') if inside else absolute(topic)}"
    yield from TF_RULES
