"""One module of a blueprint as data: its class, its place, its settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from dimos_ros.declaration.declared import Declared
from dimos_ros.declaration.interface import Parameter
from dimos_ros.exceptions import BlueprintError
from dimos_ros.loading.values import FrozenMap
from dimos_ros.naming.instance_key import InstanceKey
from dimos_ros.naming.names import LONGEST_NODE_SUFFIX, absolute, check_length, check_topic, join
from dimos_ros.naming.wording import listed, shown

STANDARD_PARAMETERS = {"use_sim_time": Parameter("use_sim_time", "bool", False)}
"""Parameters that every ROS node has without a declaration."""

ReferenceChoice = str | type[Declared] | None


@dataclass(frozen=True)
class Entry:
    """A module class under a key.

    ``topics`` gives each stream's topic as seen from the top of the blueprint; an absolute one starts with a slash.
    ``references`` holds the targets that were chosen by hand: an instance's name, a class, or None for no target.
    A disabled entry is kept, so that a remapping or an ``expose`` still finds its streams.
    """

    key: InstanceKey
    module: type[Declared]
    parameters: FrozenMap[Any]
    topics: FrozenMap[str]
    references: FrozenMap[ReferenceChoice]
    dedicated: bool = False
    enabled: bool = True

    def __str__(self) -> str:
        return f"{self.key} ({self.module.__name__})"

    def below(self, prefix: str, expose: frozenset[str]) -> Entry:
        """Return the entry under ``prefix``, and so its topics except those in ``expose``. Raises InvalidNameError."""
        topics = {
            stream: topic if topic in expose or topic.startswith("/") else f"{prefix}/{topic}"
            for stream, topic in self.topics.items()
        }
        moved = replace(
            self, key=InstanceKey(join(prefix, self.key.namespace), self.key.name), topics=FrozenMap(topics)
        )
        moved.check_lengths()
        return moved

    def with_topic(self, stream: str, topic: str) -> Entry:
        """Return the entry with a stream on another topic. Raises InvalidNameError.

        The topic is relative to its namespace, below its own node name (``~/``), or absolute.
        """
        private = isinstance(topic, str) and topic.startswith("~/")
        check_topic(topic[2:] if private else topic, f"{self}: stream {stream!r}")
        full = f"{self.key}/{topic[2:]}" if private else join(self.key.namespace, topic)
        moved = replace(self, topics=FrozenMap({**self.topics, stream: full}))
        moved.check_lengths()
        return moved

    def with_reference(self, name: str, choice: ReferenceChoice) -> Entry:
        """Return the entry with a target that was chosen by hand for a reference. Raises BlueprintError."""
        reference = self.module.interface().references[name]
        if choice is None and not reference.optional:
            raise BlueprintError(
                f"{self}: reference {name!r} cannot be None; annotate it '… | None' if the module can run without it"
            )
        if isinstance(choice, str):
            if choice == "":
                return self.with_reference(name, None)
            check_topic(choice, f"{self}: reference {name!r}")
        elif choice is not None and not (isinstance(choice, type) and issubclass(choice, Declared)):
            raise BlueprintError(
                f"{self}: reference {name!r} takes an instance's name, a Module subclass or None, not {shown(choice)}"
            )
        return replace(self, references=FrozenMap({**self.references, name: choice}))

    def with_parameters(self, values: Mapping[str, Any]) -> Entry:
        """Return the entry with parameters set; they override those that it has.

        A value under a reference's name chooses the target of the reference. Raises BlueprintError for a parameter
        that is not declared, or a value that does not fit.
        """
        interface = self.module.interface()
        entry, given = self, dict(self.parameters)
        for name, value in values.items():
            parameter = interface.parameters.get(name) or STANDARD_PARAMETERS.get(name)
            if parameter is not None:
                given[name] = self._checked(parameter, value)
            elif name in interface.references:
                entry = entry.with_reference(name, value)
            else:
                takes = [*interface.parameters, *interface.references, *STANDARD_PARAMETERS]
                kind = "; it is a stream, which .remappings() moves" if name in interface.streams else ""
                raise BlueprintError(
                    f"{self}: there is no parameter {shown(str(name))}{kind}; it takes {listed(takes, like=str(name))}"
                )
        return replace(entry, parameters=FrozenMap(given))

    def with_default(self, name: str, value: Any) -> Entry:
        """Return the entry with a parameter set, unless it has been set before."""
        return self if name in self.parameters else self.with_parameters({name: value})

    def _checked(self, parameter: Parameter, value: Any) -> Any:
        checked = parameter.check(value, str(self))
        if checked is None and parameter.default is not None:
            raise BlueprintError(
                f"{self}: parameter {parameter.name!r} cannot be set to None, since ROS would use its default "
                f"{shown(parameter.default)}; declare it with the default None"
            )
        return checked

    def check_lengths(self) -> None:
        """Raise InvalidNameError if a topic or service of the node has a longer name than ROS accepts."""
        node = self.key.full_node_name
        check_length(node + LONGEST_NODE_SUFFIX, str(self))
        for stream, topic in self.topics.items():
            check_length(absolute(topic), f"{self}: stream {stream!r}")
        for call in self.module.interface().calls.values():
            if call.service_type is not None:
                check_length(f"{node}/{call.name}", f"{self}: call {call.name!r}")
