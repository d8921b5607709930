"""Running a fleet from ROS parameters."""

from __future__ import annotations

import threading
from dataclasses import dataclass, fields
from typing import Any

import yaml
from rclpy.node import Node
from rclpy.parameter import Parameter

from dimos_ros.blueprint.source import BlueprintSource, parse_robots
from dimos_ros.coordinator.coordinator import ModuleCoordinator
from dimos_ros.coordinator.coordinator_node import CoordinatorNode
from dimos_ros.coordinator.settings import DESCRIPTIONS, Settings
from dimos_ros.exceptions import BlueprintError, CoordinatorStoppedError, DimosError
from dimos_ros.naming.wording import nearest
from dimos_ros.processes.server_process import ForkServer
from dimos_ros.processes.stop_signals import StopSignals

LOG_LEVELS = {"debug": 10, "info": 20, "warn": 30, "warning": 30, "error": 40, "fatal": 50}
SOURCE = {
    "blueprint": "import path, package.module:name, of a Blueprint, a Module or a function that returns a Blueprint",
    "robots": "names of robots, separated by commas or spaces, or a count",
    "config": "path of a fleet file (YAML): robots, each a copy of a blueprint",
    "params_file": "path of a ROS parameter file for the modules",
    "namespace": "namespace to put all of it under",
}


@dataclass(frozen=True)
class Options:
    """What the coordinator's ROS parameters say."""

    source: BlueprintSource
    settings: dict[str, Any]


def run(server: ForkServer, arguments: list[str]) -> int:
    """See :func:`dimos_ros.coordinator.main.main`."""
    stop = StopSignals()
    node = CoordinatorNode(arguments=arguments)
    try:
        options = read_options(node.node)
        coordinator = ModuleCoordinator(node=node, server=server, **options.settings)
    except (DimosError, TypeError) as error:
        node.node.get_logger().fatal(str(error))
        node.close()
        server.connection.close()
        return 2
    try:
        code = _build(coordinator, options.source, stop)
        if code is None:
            _wait(coordinator, stop)
        node.say("stopping" if not coordinator.is_finished else "finished; stopping")
    finally:
        coordinator.stop()
    if coordinator.summary:
        print(coordinator.summary, flush=True)
    return code or 0


def _build(coordinator: ModuleCoordinator, source: BlueprintSource, stop: StopSignals) -> int | None:
    """Bring the fleet up; the exit code if it did not come up, None if it did or was interrupted."""
    logger = coordinator.node.node.get_logger()
    outcome: list[BaseException | None] = []
    done = threading.Event()

    def build() -> None:
        try:
            if source.blueprint or source.config:
                coordinator.load_source(source)
            outcome.append(None)
        except BaseException as error:
            outcome.append(error)
        done.set()

    threading.Thread(target=build, name="build", daemon=True).start()
    if source.blueprint or source.config:
        # Meanwhile: rclpy takes 20 ms for a process's first message.
        coordinator.node.say(f"planning {source.blueprint or source.config}")
    while not (done.wait(0.05) or stop.wait(0.0)):
        pass
    if not done.is_set():
        return None
    error = outcome[0]
    if error is None:
        if not (source.blueprint or source.config):
            coordinator.node.say("nothing to start: neither blueprint nor config is given; waiting for load_blueprint")
        return None
    if isinstance(error, CoordinatorStoppedError):
        return None
    if not isinstance(error, DimosError):
        raise error
    logger.fatal(str(error))
    return 2 if isinstance(error, (BlueprintError, LookupError)) else 1


def _wait(coordinator: ModuleCoordinator, stop: StopSignals) -> None:
    while not (stop.wait(0.1) or coordinator.is_finished):
        pass


def read_options(node: Node) -> Options:
    """What the node's parameters say. Raises BlueprintError for one that is unknown or of a wrong type."""
    given: dict[str, Parameter] = dict(node.get_parameters_by_prefix(""))
    known = {*SOURCE, *DESCRIPTIONS, "use_sim_time"}
    for name in given:
        if name not in known and not name.startswith(("arguments.", "qos_overrides.")) and name != _SERVICE:
            raise BlueprintError(f"the coordinator has no parameter {name!r:.80}; it has {nearest(name, known)}")
    text = {name: _text(name, given[name]) if name in given else "" for name in SOURCE}
    level = _text("log_level", given["log_level"]).lower() if "log_level" in given else ""
    if level and level not in LOG_LEVELS:
        raise BlueprintError(f"log_level {level!r:.80} is none of {', '.join(LOG_LEVELS)}")
    settings = {f.name: _setting(f.name, f.default, given[f.name]) for f in fields(Settings) if f.name in given}
    if level:
        settings["log_level"] = level
    source = BlueprintSource(
        blueprint=text["blueprint"],
        robots=parse_robots(text["robots"]) if text["robots"] else (),
        config=text["config"],
        params_file=text["params_file"],
        namespace=text["namespace"].strip("/"),
        arguments={n.partition(".")[2]: p.value for n, p in given.items() if n.startswith("arguments.")},
        use_sim_time=bool(given["use_sim_time"].value) if "use_sim_time" in given else False,
        log_level=LOG_LEVELS.get(level, 0),
    )
    return Options(source, settings)


_SERVICE = "start_type_description_service"
"""Declared by rclpy itself on every node."""


def _text(name: str, parameter: Parameter) -> str:
    """A parameter as text: ``robots:=3`` and ``robots:=[a, b]`` are as good as ``robots:='a b'``."""
    value = parameter.value
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, bool) or not (isinstance(value, int) or parameter.type_ == Parameter.Type.STRING_ARRAY):
        raise BlueprintError(
            f"parameter {name} is {SOURCE.get(name, DESCRIPTIONS.get(name, 'text'))}, not {value!r:.80}"
        )
    return str(value) if isinstance(value, int) else " ".join(value)


def _setting(name: str, default: Any, parameter: Parameter) -> Any:
    value = parameter.value
    if isinstance(value, str) and not isinstance(default, str):
        value = yaml.safe_load(value)
    if isinstance(default, float) and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if type(value) is not type(default) or (isinstance(value, (int, float)) and value < 0):
        raise BlueprintError(f"parameter {name} is {DESCRIPTIONS[name]}, such as {default!r}, not {value!r:.80}")
    return value
