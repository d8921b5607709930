"""A fleet file: YAML that describes a fleet of mixed robots. It is checked strictly; every error gives the line.

::

    defaults:                          # for all robots; a robot's own settings override them
      blueprint: my_pkg.robots:scout
      expose: [map]
    robots:
      - name: scout1
        parameters: {mapper: {resolution: 0.05}}
        remappings: [[mapper, scan, front_scan]]
      - {name: arm1, blueprint: my_pkg.robots:arm, arguments: {joints: 6}, enabled: false}
    shared:                            # outside of the robots' namespaces
      - my_pkg.robots:FleetMap

A default parameter, remapping or exposed topic applies to the robots that have that module or topic.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from dimos_ros.blueprint.located_yaml import Key, Located, read
from dimos_ros.exceptions import FleetFileError
from dimos_ros.naming.names import check_prefix, normalize_namespace
from dimos_ros.naming.wording import shown

_COMMON = ("blueprint", "arguments", "parameters", "remappings", "expose", "disabled", "dedicated", "enabled")


@dataclass(frozen=True)
class Member:
    """A robot, a shared blueprint, or the defaults, as the file has them. ``None`` is not in the file."""

    place: Located
    name: str = ""
    namespace: str = ""
    blueprint: str | None = None
    arguments: dict[Key, Located] = field(default_factory=dict)
    parameters: dict[Key, dict[Key, Located]] = field(default_factory=dict)
    remappings: tuple[Located, ...] = ()
    expose: tuple[Located, ...] | None = None
    disabled: tuple[Located, ...] = ()
    dedicated: tuple[Located, ...] = ()
    enabled: bool | None = None


@dataclass(frozen=True)
class FleetFile:
    """A fleet file as data; no blueprint is imported yet."""

    path: str
    defaults: Member
    robots: tuple[Member, ...]
    shared: tuple[Member, ...]


def place_of(path: str, instance: str) -> str:
    """Return ``file:line`` of the robot of an instance (``robot1/mapper``); line 1 if no robot has it."""
    for robot in parse_fleet(path).robots:
        if instance.startswith(f"{robot.namespace}/"):
            return f"{path}:{robot.place.line}"
    return f"{path}:1"


def parse_fleet(path: str) -> FleetFile:
    """Read a fleet file without importing any blueprint. Raises FleetFileError."""
    document = read(path, FleetFileError)
    parts = document.mapping("a fleet file", ("robots", "defaults", "shared"))
    given = parts.get(Key("defaults"))
    defaults = _member(given, "defaults", _COMMON) if given else Member(document)
    listed = parts[Key("robots")].sequence("robots") if "robots" in parts else []
    robots: list[Member] = []
    lines: dict[str, int] = {}
    for item in listed:
        robot = _robot(item)
        for taken in {robot.name, robot.namespace}:
            if taken in lines:
                raise item.fault(f"there is already a robot {taken!r}, on line {lines[taken]}")
        lines |= {robot.name: item.line, robot.namespace: item.line}
        robots.append(robot)
    items = parts[Key("shared")].sequence("shared") if "shared" in parts else []
    shared = tuple(_shared(item) for item in items)
    if not robots and not shared:
        raise document.fault("the file names no robots; write robots: [{name: robot1, blueprint: my_pkg.robots:robot}]")
    return FleetFile(path, defaults, tuple(robots), shared)


def _robot(item: Located) -> Member:
    if isinstance(item.value, str):
        item = Located({Key("name"): item}, item.line, item.file, item.error)
    named = item.mapping("a robot", ("name", "namespace", *_COMMON)).get(Key("name"))
    if named is None:
        raise item.fault("a robot needs a name; write name: robot1")
    name = named.text("a robot's name")
    robot = _member(item, f"robot {shown(name)}", ("name", "namespace", *_COMMON))
    with named.blamed():
        name = check_prefix(name)
    if "namespace" in item.value and not robot.namespace:
        raise item.fault(f"the namespace of robot {name!r} is empty; leave it out, and the robot's name is used")
    return replace(robot, name=name, namespace=robot.namespace or name)


def _shared(item: Located) -> Member:
    if isinstance(item.value, str):
        return Member(item, name=item.value, blueprint=item.text("a shared blueprint"))
    shared = _member(item, "a shared blueprint", ("namespace", *_COMMON))
    if shared.blueprint is None:
        raise item.fault("a shared blueprint needs an import path; write blueprint: my_pkg.robots:fleet_map")
    return replace(shared, name=shared.blueprint)


def _member(item: Located, what: str, known: tuple[str, ...]) -> Member:
    """Read a robot, the defaults or a shared blueprint; check types, but no names yet."""
    found: dict[str, Any] = {str(key): value for key, value in item.mapping(what, known).items()}
    result: dict[str, Any] = {"place": item}
    if "namespace" in found:
        with found["namespace"].blamed():
            result["namespace"] = normalize_namespace(found["namespace"].text(f"the namespace of {what}"))
    if "blueprint" in found:
        result["blueprint"] = found["blueprint"].text(f"the blueprint of {what}")
    if "enabled" in found:
        result["enabled"] = found["enabled"].flag(f"enabled of {what}")
    if "arguments" in found:
        result["arguments"] = found["arguments"].mapping(f"arguments of {what}")
    if "parameters" in found:
        modules = found["parameters"].mapping(f"parameters of {what}")
        result["parameters"] = {
            module: values.mapping(f"parameters of module {shown(str(module))}") for module, values in modules.items()
        }
    for name in ("remappings", "expose", "disabled", "dedicated"):
        if name in found:
            result[name] = tuple(found[name].sequence(f"{name} of {what}"))
    for remapping in result.get("remappings", ()):
        words = remapping.sequence("a remapping")
        if len(words) != 3:
            raise remapping.fault("a remapping must be [module, stream or reference, new name]")
        for word in words[: 2 if words[2].value is None else 3]:
            word.text("a name in a remapping")
    for name in ("expose", "disabled", "dedicated"):
        for word in result.get(name, ()):
            word.text(f"an entry of {name}")
    return Member(**result)
