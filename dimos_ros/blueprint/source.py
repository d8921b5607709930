"""Where a blueprint comes from, as a value that can be sent, and its plan."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from dimos_ros.blueprint.blueprint import Blueprint, autoconnect
from dimos_ros.blueprint.fleet_blueprint import load_fleet
from dimos_ros.blueprint.fleet_file import place_of
from dimos_ros.blueprint.imported_blueprint import blueprint_of
from dimos_ros.blueprint.instance import Instance
from dimos_ros.blueprint.params_file import apply_params_file
from dimos_ros.blueprint.plan import Plan, plan
from dimos_ros.exceptions import BlueprintError, FleetFileError
from dimos_ros.loading.values import FrozenMap, from_data, to_data
from dimos_ros.naming.names import check_prefix, normalize_namespace

MOST_ROBOTS = 10_000
"""A larger count is taken for a mistake."""


@dataclass(frozen=True)
class BlueprintSource:
    """All that says which blueprint is meant, and with what.

    ``blueprint`` is an import path (``my_pkg.robots:robot``), ``robots`` the names of copies of it, or with
    ``config``, a fleet file, those of its robots that are wanted. ``arguments`` are those of a blueprint
    function, ``parameters`` by module name, ``params_file`` a standard ROS parameter file, ``namespace`` goes
    around it all. Raises BlueprintError for a value of the wrong type.
    """

    blueprint: str = ""
    robots: tuple[str, ...] = ()
    config: str = ""
    params_file: str = ""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    namespace: str = ""
    parameters: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    use_sim_time: bool = False
    log_level: int = 0

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
        if not isinstance(self.log_level, int) or not 0 <= self.log_level <= 255:
            raise BlueprintError(
                f"log_level is 0 (as the container's), 10, 20, 30, 40 or 50, not {self.log_level!r:.80}"
            )
        object.__setattr__(self, "robots", parse_robots(self.robots))
        object.__setattr__(self, "namespace", normalize_namespace(self.namespace))
        object.__setattr__(self, "arguments", FrozenMap(self.arguments))
        object.__setattr__(self, "parameters", FrozenMap(self.parameters))

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


def load(source: BlueprintSource) -> Blueprint:
    """The blueprint that a source describes, its parameters set.

    Raises ClassNotFoundError for an import path that leads nowhere, BlueprintError for the rest,
    FleetFileError with ``file:line`` for what a fleet file says.
    """
    blueprint = _composed(source)
    for module, values in source.parameters.items():
        blueprint = blueprint.with_parameters(module, **values)
    if source.namespace:
        blueprint = blueprint.namespace(source.namespace)
    if source.use_sim_time:
        blueprint = Blueprint(tuple(entry.with_default("use_sim_time", True) for entry in blueprint))
    if source.params_file:
        blueprint = apply_params_file(blueprint, source.params_file)
    return blueprint


def compile_source(source: BlueprintSource, running: Iterable[Instance] = ()) -> Plan:
    """The plan of what a source describes, checked against what runs. Raises what :func:`load` and plan() do."""
    blueprint = load(source)
    try:
        planned = plan(blueprint, running)
    except BlueprintError as error:
        if not (source.config and error.instance):
            raise
        inside = error.instance.removeprefix(f"{source.namespace}/")
        raise FleetFileError(f"{place_of(source.config, inside)}: {error}") from error
    if not source.log_level:
        return planned
    return Plan(tuple(replace(i, request=replace(i.request, log_level=source.log_level)) for i in planned))


def _composed(source: BlueprintSource) -> Blueprint:
    if source.config:
        if source.arguments:
            raise BlueprintError(f"with a fleet file, arguments are given in it ({source.config}), not besides")
        return load_fleet(source.config, source.robots, source.blueprint)
    if not source.blueprint:
        raise BlueprintError(
            "there is no blueprint: give its import path, such as my_pkg.robots:fleet, or a fleet file"
        )
    blueprint, took_robots = blueprint_of(source.blueprint, source.arguments, source.robots)
    if took_robots or not source.robots:
        return blueprint
    return autoconnect(*(blueprint.namespace(robot) for robot in source.robots))
