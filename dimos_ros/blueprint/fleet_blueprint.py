"""Making the blueprint that a fleet file describes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from dimos_ros.blueprint.arguments import BadArgumentError
from dimos_ros.blueprint.blueprint import Blueprint, autoconnect
from dimos_ros.blueprint.fleet_file import FleetFile, Member, parse_fleet
from dimos_ros.blueprint.imported_blueprint import blueprint_of
from dimos_ros.blueprint.located_yaml import Key, Located
from dimos_ros.exceptions import FleetFileError
from dimos_ros.naming.wording import listed, shown


def load_fleet(path: str, robots: Sequence[str] = (), blueprint: str = "") -> Blueprint:
    """Return the blueprint of a fleet file.

    ``robots`` chooses some robots of the file, by name; without it all enabled ones are taken. ``blueprint`` is for
    robots to which the file gives none. Raises FleetFileError, whose message starts with ``file:line:``.
    """
    return _build(parse_fleet(path), tuple(robots), blueprint)


def _build(fleet: FleetFile, wanted: tuple[str, ...], fallback: str) -> Blueprint:
    robots = _chosen(fleet, wanted)
    defaults = _Defaults(fleet.defaults)
    result = Blueprint()
    for robot in robots:
        result = _joined(result, _robot_blueprint(robot, defaults, fallback), robot)
    if len(robots) == len(fleet.robots) > 0:
        defaults.check_used()
    names = [robot.namespace for robot in robots]
    for shared in fleet.shared:
        if shared.enabled is not False:
            result = _joined(result, _shared_blueprint(shared, names), shared)
    return result


def _chosen(fleet: FleetFile, wanted: tuple[str, ...]) -> list[Member]:
    """Return the robots to run: those in ``wanted``, or all that are enabled."""
    enabled = [r for r in fleet.robots if (fleet.defaults.enabled if r.enabled is None else r.enabled) is not False]
    by_name = {robot.name: robot for robot in fleet.robots}
    for name in wanted:
        if name not in by_name:
            known = listed(by_name, like=name)
            raise FleetFileError(f"{fleet.path}:1: there is no robot {shown(name)} in the file; it has {known}")
        if by_name[name] not in enabled:
            raise by_name[name].place.fault(f"robot {name!r} is not enabled")
    return [robot for robot in enabled if not wanted or robot.name in wanted]


def _joined(fleet: Blueprint, member: Blueprint, said: Member) -> Blueprint:
    there = {entry.key for entry in fleet}
    for entry in member:
        if entry.key in there:
            raise said.place.fault(f"there is already a module {entry.key}; give this one another namespace")
    return autoconnect(fleet, member)


class _Defaults:
    """The defaults, and a record of those that no robot has used."""

    def __init__(self, said: Member) -> None:
        self.said = said
        self._unused = {
            id(place): (place, what)
            for place, what in (
                *(
                    (value, f"module {shown(str(m))}")
                    for m, values in said.parameters.items()
                    for value in values.values()
                ),
                *((remapping, f"module {shown(remapping.value[0].value)}") for remapping in said.remappings),
                *((module, f"module {shown(module.value)}") for module in (*said.disabled, *said.dedicated)),
                *((topic, f"topic {shown(topic.value)}") for topic in said.expose or ()),
            )
        }

    def take(self, place: Located) -> None:
        self._unused.pop(id(place), None)

    def applied(self, blueprint: Blueprint) -> Blueprint:
        """Return the blueprint with those defaults that name one of its modules."""
        said = self.said
        fitting = replace(
            said,
            parameters={module: values for module, values in said.parameters.items() if module in blueprint},
            remappings=tuple(r for r in said.remappings if r.value[0].value in blueprint),
            disabled=tuple(module for module in said.disabled if module.value in blueprint),
            dedicated=tuple(module for module in said.dedicated if module.value in blueprint),
        )
        for place in (
            *(value for values in fitting.parameters.values() for value in values.values()),
            *(*fitting.remappings, *fitting.disabled, *fitting.dedicated),
        ):
            self.take(place)
        return _adjusted(blueprint, fitting)

    def exposed(self, blueprint: Blueprint) -> list[str]:
        """Return those default topics to expose that the blueprint has."""
        topics = {topic for entry in blueprint for topic in entry.topics.values()}
        fitting = [topic for topic in self.said.expose or () if topic.value in topics]
        for topic in fitting:
            self.take(topic)
        return [topic.value for topic in fitting]

    def check_used(self) -> None:
        """Raise FleetFileError for a default that no robot has used."""
        for place, what in self._unused.values():
            raise place.fault(f"no robot of the file has a {what}")


def _robot_blueprint(robot: Member, defaults: _Defaults, fallback: str) -> Blueprint:
    said = defaults.said
    path = robot.blueprint or said.blueprint or fallback
    if not path:
        raise robot.place.fault(f"robot {shown(robot.name)} has no blueprint, and the defaults have none either")
    own = robot.blueprint in (None, said.blueprint or fallback)
    arguments = {**(said.arguments if own else {}), **robot.arguments}
    blueprint = _adjusted(defaults.applied(_imported(path, arguments, robot, ())), robot)
    if robot.expose is None:
        exposed = defaults.exposed(blueprint)
        with robot.place.blamed():
            return blueprint.namespace(robot.namespace, exposed)
    return _in_namespace(blueprint, robot)


def _shared_blueprint(shared: Member, robots: Sequence[str]) -> Blueprint:
    blueprint = _adjusted(_imported(shared.name, shared.arguments, shared, robots), shared)
    if shared.namespace:
        return _in_namespace(blueprint, shared)
    if shared.expose:
        raise shared.expose[0].fault("there is nothing to expose: without a namespace the topics get no prefix")
    return blueprint


def _imported(path: str, arguments: dict[Key, Located], said: Member, robots: Sequence[str]) -> Blueprint:
    place = said.place.value.get(Key("blueprint"), said.place) if isinstance(said.place.value, dict) else said.place
    with place.blamed():
        try:
            return blueprint_of(path, {str(name): value.plain() for name, value in arguments.items()}, robots)[0]
        except BadArgumentError as error:
            line = next((name.line for name in arguments if name == error.argument), place.line)
            raise place.fault(str(error), line) from error


def _adjusted(blueprint: Blueprint, said: Member) -> Blueprint:
    """Return the blueprint with the parameters, remappings and other settings of a robot or the defaults."""
    for module, values in said.parameters.items():
        with said.place.blamed(module.line):
            blueprint.select(module)
        for name, value in values.items():
            with value.blamed(name.line):
                blueprint = blueprint.with_parameters(module, **{str(name): value.plain()})
    for remapping in said.remappings:
        with remapping.blamed():
            blueprint = blueprint.remappings([tuple(remapping.plain())])
    for module_name in said.disabled:
        with module_name.blamed():
            blueprint = blueprint.disabled(module_name.value)
    for module_name in said.dedicated:
        with module_name.blamed():
            blueprint = blueprint.dedicated(module_name.value)
    return blueprint


def _in_namespace(blueprint: Blueprint, said: Member) -> Blueprint:
    for topic in said.expose or ():
        with topic.blamed():
            blueprint.namespace(said.namespace, [topic.value])
    with said.place.blamed():
        return blueprint.namespace(said.namespace, [topic.value for topic in said.expose or ()])
