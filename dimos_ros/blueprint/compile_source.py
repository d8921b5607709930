"""From a source to its blueprint and to its plan."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from dimos_ros.blueprint.blueprint import Blueprint, autoconnect
from dimos_ros.blueprint.fleet_blueprint import load_fleet
from dimos_ros.blueprint.fleet_file import place_of
from dimos_ros.blueprint.imported_blueprint import blueprint_of
from dimos_ros.blueprint.instance import Instance
from dimos_ros.blueprint.params_file import apply_params_file
from dimos_ros.blueprint.plan import Plan, plan
from dimos_ros.blueprint.source import BlueprintSource
from dimos_ros.exceptions import BlueprintError, FleetFileError
from dimos_ros.loading.log_levels import LOG_LEVELS


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
    level = LOG_LEVELS[source.log_level]
    return Plan(tuple(replace(i, request=replace(i.request, log_level=level)) for i in planned))


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
