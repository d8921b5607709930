"""One module of a blueprint, as data: what it is, where it is, what it was given."""

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
from dimos_ros.naming.wording import nearest

STANDARD_PARAMETERS = {"use_sim_time": Parameter("use_sim_time", "bool", False)}
"""Parameters that every ROS node has without declaring them."""

ReferenceChoice = str | type[Declared] | None


@dataclass(frozen=True)
class Entry:
    """A module class under a key.

    ``topics`` gives each stream's topic as it is seen at the top of the blueprint, absolute ones with their
    slash. ``references`` holds what was chosen by hand: an instance's name, a class, or None for none.
    A disabled entry stays, so that a remapping of it or an ``expose`` still finds its streams.
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
        """The entry under ``prefix``, with all topics but those in ``expose``. Raises InvalidNameError."""
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
        """The entry with a stream on another topic: relative to its namespace, ``~/`` for below its own name, or
        absolute. Raises InvalidNameError."""
        private = isinstance(topic, str) and topic.startswith("~/")
        check_topic(topic[2:] if private else topic, f"{self}: stream {stream!r}")
        full = f"{self.key}/{topic[2:]}" if private else join(self.key.namespace, topic)
        moved = replace(self, topics=FrozenMap({**self.topics, stream: full}))
        moved.check_lengths()
        return moved

    def with_reference(self, name: str, choice: ReferenceChoice) -> Entry:
        """The entry with a reference settled by hand. Raises BlueprintError."""
        reference = self.module.interface().references[name]
        if choice is None and not reference.optional:
            raise BlueprintError(
                f"{self}: reference {name!r} cannot be None; annotate it '… | None' if it can do without"
            )
        if isinstance(choice, str):
            if choice == "":
                return self.with_reference(name, None)
            check_topic(choice, f"{self}: reference {name!r}")
        elif choice is not None and not (isinstance(choice, type) and issubclass(choice, Declared)):
            raise BlueprintError(
                f"{self}: reference {name!r} takes an instance's name, a Module subclass or None, not {choice!r:.80}"
            )
        return replace(self, references=FrozenMap({**self.references, name: choice}))

    def with_parameters(self, values: Mapping[str, Any]) -> Entry:
        """The entry with parameters set, over those that it has. A reference's name settles the reference.

        Raises BlueprintError for one that is not declared, or a value that does not fit.
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
                known = nearest(str(name)[:80], [*interface.parameters, *interface.references, *STANDARD_PARAMETERS])
                kind = "; it is a stream, .remappings() moves it" if name in interface.streams else ""
                raise BlueprintError(f"{self}: there is no parameter {str(name)!r:.80}{kind}; it takes {known}")
        return replace(entry, parameters=FrozenMap(given))

    def with_default(self, name: str, value: Any) -> Entry:
        """The entry with a parameter set unless it has been."""
        return self if name in self.parameters else self.with_parameters({name: value})

    def _checked(self, parameter: Parameter, value: Any) -> Any:
        checked = parameter.check(value, str(self))
        if checked is None and parameter.default is not None:
            raise BlueprintError(
                f"{self}: parameter {parameter.name!r} cannot be set to nothing, since ROS would use its default "
                f"{parameter.default!r:.80}; declare it with the default None"
            )
        return checked

    def check_lengths(self) -> None:
        """Raise InvalidNameError where a topic or a service of the node has a name longer than ROS carries."""
        node = self.key.full_node_name
        check_length(node + LONGEST_NODE_SUFFIX, str(self))
        for stream, topic in self.topics.items():
            check_length(absolute(topic), f"{self}: stream {stream!r}")
        for call in self.module.interface().calls.values():
            if call.service_type is not None:
                check_length(f"{node}/{call.name}", f"{self}: call {call.name!r}")
