"""A fleet of mixed robots from a YAML file, checked as strictly as Python, with the line in every error.

::

    defaults:                          # what robots share; a robot's own word goes over it
      blueprint: my_pkg.robots:scout
      expose: [map]
    robots:
      - name: scout1
        parameters: {mapper: {resolution: 0.05}}
        remappings: [[mapper, scan, front_scan]]
      - {name: arm1, blueprint: my_pkg.robots:arm, arguments: {joints: 6}, enabled: false}
    shared:                            # outside of the robots' namespaces
      - my_pkg.robots:FleetMap

A default parameter, remapping or exposed topic goes to the robots that have such a module or topic.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from dimos_ros.blueprint.located_yaml import Key, Located, read
from dimos_ros.exceptions import FleetFileError
from dimos_ros.naming.names import check_prefix, normalize_namespace

_COMMON = ("blueprint", "arguments", "parameters", "remappings", "expose", "disabled", "dedicated", "enabled")


@dataclass(frozen=True)
class Member:
    """A robot, a shared blueprint, or the defaults, as the file says it. ``None`` was not said."""

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
    """A fleet file as data; nothing is imported yet."""

    path: str
    defaults: Member
    robots: tuple[Member, ...]
    shared: tuple[Member, ...]


def place_of(path: str, instance: str) -> str:
    """``file:line`` of the robot that an instance (``robot1/mapper``) of a fleet file belongs to, or of the file."""
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
                raise item.fault(f"there is a robot {taken!r} already, on line {lines[taken]}")
        lines |= {robot.name: item.line, robot.namespace: item.line}
        robots.append(robot)
    items = parts[Key("shared")].sequence("shared") if "shared" in parts else []
    shared = tuple(_shared(item) for item in items)
    if not robots and not shared:
        raise document.fault("the file names no robots: robots: [{name: robot1, blueprint: my_pkg.robots:robot}]")
    return FleetFile(path, defaults, tuple(robots), shared)


def _robot(item: Located) -> Member:
    if isinstance(item.value, str):
        item = Located({Key("name"): item}, item.line, item.file, item.error)
    named = item.mapping("a robot", ("name", "namespace", *_COMMON)).get(Key("name"))
    if named is None:
        raise item.fault("a robot has a name")
    name = named.text("a robot's name")
    robot = _member(item, f"robot {name!r:.80}", ("name", "namespace", *_COMMON))
    with named.blamed():
        name = check_prefix(name)
    if "namespace" in item.value and not robot.namespace:
        raise item.fault(f"the namespace of robot {name!r} is empty; without one its name is taken")
    return replace(robot, name=name, namespace=robot.namespace or name)


def _shared(item: Located) -> Member:
    if isinstance(item.value, str):
        return Member(item, name=item.value, blueprint=item.text("a shared blueprint"))
    shared = _member(item, "a shared blueprint", ("namespace", *_COMMON))
    if shared.blueprint is None:
        raise item.fault("a shared blueprint says which: blueprint: my_pkg.robots:fleet_map")
    return replace(shared, name=shared.blueprint)


def _member(item: Located, what: str, known: tuple[str, ...]) -> Member:
    """What a robot, the defaults or a shared blueprint say; types are checked, names are not yet."""
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
            module: values.mapping(f"parameters of module {str(module)!r:.80}") for module, values in modules.items()
        }
    for name in ("remappings", "expose", "disabled", "dedicated"):
        if name in found:
            result[name] = tuple(found[name].sequence(f"{name} of {what}"))
    for remapping in result.get("remappings", ()):
        words = remapping.sequence("a remapping")
        if len(words) != 3:
            raise remapping.fault("a remapping is [module, stream or reference, new name]")
        for word in words[: 2 if words[2].value is None else 3]:
            word.text("a name in a remapping")
    for name in ("expose", "disabled", "dedicated"):
        for word in result.get(name, ()):
            word.text(f"an entry of {name}")
    return Member(**result)
