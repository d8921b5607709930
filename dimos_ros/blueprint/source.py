"""Where a blueprint comes from, as a value that can be sent; and the table of what that takes.

The fields of :class:`BlueprintSource` are the table. The coordinator's ROS parameters, the launch arguments, the
options of ``fleet`` and LoadBlueprint.srv all have these fields, with these help texts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from enum import Enum
from typing import Any

from dimos_ros.exceptions import BlueprintError
from dimos_ros.loading.log_levels import LOG_LEVELS, log_level_name
from dimos_ros.loading.values import FrozenMap, from_data, to_data
from dimos_ros.naming.names import check_prefix, normalize_namespace

MOST_ROBOTS = 10_000
"""A larger count is taken for a mistake."""


class Kind(Enum):
    """What a field holds, and so how it is written as text."""

    TEXT = "text"
    NAMES = "names, separated by commas or spaces, or their number"
    PATH = "path"
    MAPPING = "YAML mapping"
    FLAG = "true or false"


@dataclass(frozen=True)
class SourceField:
    """One row of the table. ``help`` is whole sentences; ``example`` is a text that the field takes."""

    name: str
    kind: Kind
    help: str
    example: str

    @property
    def default(self) -> str | bool:
        """What leaves the field out: empty text, or false."""
        return False if self.kind is Kind.FLAG else ""

    @property
    def request_name(self) -> str:
        """Its name in LoadBlueprint.srv: ``namespace`` is a keyword of C++."""
        return "node_namespace" if self.name == "namespace" else self.name


def _described(kind: Kind, default: Any, help: str, example: str) -> Any:
    given = {"default_factory": dict} if kind is Kind.MAPPING else {"default": default}
    return field(**given, metadata={"kind": kind, "help": help, "example": example})


@dataclass(frozen=True)
class BlueprintSource:
    """All that says which blueprint is meant, and with what. Raises BlueprintError for a value that is not fit."""

    blueprint: str = _described(
        Kind.TEXT,
        "",
        "Import path, package.module:name, of a Blueprint, of a Module class, or of a function that returns a "
        "Blueprint. With a fleet file, it is for robots of which the file does not name one.",
        "my_pkg.robots:robot",
    )
    robots: tuple[str, ...] = _described(
        Kind.NAMES,
        (),
        "Names of robots, separated by commas or spaces, or their number (3: robot1 to robot3). Each is a copy of "
        "the blueprint. With a fleet file, the robots of the file that are wanted; empty for all.",
        "alice,bob",
    )
    config: str = _described(
        Kind.PATH,
        "",
        "Path of a fleet file (YAML), which names robots and says for each its blueprint, parameters and remappings.",
        "fleet.yaml",
    )
    params_file: str = _described(
        Kind.PATH,
        "",
        "Path of a ROS parameter file (YAML) for the modules. Its values go over all others.",
        "params.yaml",
    )
    arguments: Mapping[str, Any] = _described(
        Kind.MAPPING,
        {},
        "Arguments of a blueprint function by name, as a YAML mapping such as {rate: 20.0}.",
        "{rate: 20.0}",
    )
    namespace: str = _described(
        Kind.TEXT,
        "",
        "Namespace to put everything under: robot3 and /robot3 are the same. Empty leaves names as they are.",
        "robot3",
    )
    parameters: Mapping[str, Mapping[str, Any]] = _described(
        Kind.MAPPING,
        {},
        "Parameters by name of the module, as a YAML mapping such as {mapper: {resolution: 0.05}}.",
        "{mapper: {resolution: 0.05}}",
    )
    use_sim_time: bool = _described(
        Kind.FLAG,
        False,
        "Whether the modules take their time from the topic /clock, as simulators publish it.",
        "true",
    )
    log_level: str = _described(
        Kind.TEXT,
        "",
        f"Least severe log messages that the modules show: {', '.join(LOG_LEVELS)}. Empty for the level of their "
        "container.",
        "debug",
    )

    def __post_init__(self) -> None:
        for name in ("blueprint", "config", "params_file"):
            if not isinstance(getattr(self, name), str):
                raise BlueprintError(f"{name} is text, not {getattr(self, name)!r:.80}")
        for name in ("arguments", "parameters"):
            value = getattr(self, name)
            if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
                raise BlueprintError(f"{name} are a mapping by name, not {value!r:.80}")
        for module, values in self.parameters.items():
            if not isinstance(values, Mapping) or not all(isinstance(key, str) for key in values):
                raise BlueprintError(f"parameters of {module!r:.80} are a mapping by name, not {values!r:.80}")
        if not isinstance(self.use_sim_time, bool):
            raise BlueprintError(f"use_sim_time is true or false, not {self.use_sim_time!r:.80}")
        try:
            object.__setattr__(self, "log_level", log_level_name(self.log_level))
        except ValueError:
            levels = ", ".join(LOG_LEVELS)
            raise BlueprintError(f"log_level is one of {levels}, or empty, not {self.log_level!r:.80}") from None
        object.__setattr__(self, "robots", parse_robots(self.robots))
        object.__setattr__(self, "namespace", normalize_namespace(self.namespace))
        object.__setattr__(self, "arguments", FrozenMap(self.arguments))
        object.__setattr__(self, "parameters", FrozenMap(self.parameters))

    @property
    def is_given(self) -> bool:
        """Whether it says a blueprint at all."""
        return bool(self.blueprint or self.config)

    def to_dict(self) -> dict[str, Any]:
        """The source as JSON holds it, without loss. Raises BlueprintError for a value that JSON cannot hold."""
        plain = {f.name: getattr(self, f.name) for f in fields(self)}
        return {
            **plain,
            "robots": list(self.robots),
            "arguments": {name: to_data(value) for name, value in self.arguments.items()},
            "parameters": {module: to_data(values) for module, values in self.parameters.items()},
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> BlueprintSource:
        """The inverse of :meth:`to_dict`."""
        read = {part: {name: from_data(v) for name, v in data[part].items()} for part in ("arguments", "parameters")}
        return cls(**{**data, **read})


FIELDS = tuple(SourceField(f.name, **f.metadata) for f in fields(BlueprintSource))
"""The table: a row for each field of a source, in order."""


def parse_robots(text: str | int | Iterable[str]) -> tuple[str, ...]:
    """Robots' names from ``a,b``, ``a b``, or a count (``3``: robot1 to robot3); "" gives none.

    Raises BlueprintError for a name that ROS refuses, one given twice, or a count below 1.
    """
    words: list[str]
    if isinstance(text, str):
        words = text.replace(",", " ").split()
        if len(words) == 1 and words[0].lstrip("+-").isdecimal() and words[0].isascii():
            return parse_robots(int(words[0][:20]))
    elif isinstance(text, int) and not isinstance(text, bool):
        if not 1 <= text <= MOST_ROBOTS:
            raise BlueprintError(f"robots is a count from 1 to {MOST_ROBOTS} or names, not {text}")
        return tuple(f"robot{number}" for number in range(1, text + 1))
    elif isinstance(text, Iterable) and not isinstance(text, (bytes, Mapping)):
        words = list(text)
    else:
        raise BlueprintError(f"robots are names separated by commas or spaces, or a count, not {text!r:.80}")
    names: list[str] = []
    for word in words:
        name = check_prefix(word)
        if name in names:
            raise BlueprintError(f"robot {name!r} is named twice")
        names.append(name)
    return tuple(names)
