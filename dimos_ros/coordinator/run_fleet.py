"""The run of a fleet from its coordinator's ROS parameters, until it is stopped or its job is finished."""

from __future__ import annotations

import argparse
import threading
from dataclasses import asdict

from rcl_interfaces.msg import ParameterDescriptor
from rclpy.node import Node
from rclpy.utilities import remove_ros_args

from dimos_ros.blueprint.source import BlueprintSource
from dimos_ros.coordinator.coordinator import ModuleCoordinator
from dimos_ros.coordinator.coordinator_node import CoordinatorNode
from dimos_ros.coordinator.from_ros_parameters import OF_RCLPY, PARAMETERS, Options, read_options
from dimos_ros.exceptions import BlueprintError, CoordinatorStoppedError, DimosError
from dimos_ros.processes.server_process import ForkServer
from dimos_ros.processes.stop_signals import StopSignals


def run(server: ForkServer, arguments: list[str]) -> int:
    """Run a fleet and return the exit code; see :func:`dimos_ros.coordinator.main.main`."""
    stop = StopSignals()
    parser().parse_args(remove_ros_args(["coordinator", *arguments])[1:])
    node = CoordinatorNode(arguments=arguments)
    try:
        options = read_options({name: p.value for name, p in node.node.get_parameters_by_prefix("").items()})
        _describe_parameters(node.node, options)
        coordinator = ModuleCoordinator(node=node, server=server, **asdict(options.settings))
    except DimosError as error:
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


def parser() -> argparse.ArgumentParser:
    """Return the command line of ``coordinator``, which has ROS arguments alone; its help lists the parameters."""
    rows = "\n".join(f"  {name:<20}  {text}" for name, (_, text) in PARAMETERS.items())
    return argparse.ArgumentParser(
        prog="coordinator",
        usage="coordinator [-h] [--ros-args -p PARAMETER:=VALUE ...]",
        description="Runs a fleet: plans a blueprint, and keeps its modules up in containers.",
        epilog=f"parameters:\n{rows}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def _build(coordinator: ModuleCoordinator, source: BlueprintSource, stop: StopSignals) -> int | None:
    """Start the fleet. Returns the exit code if that failed, None if it runs or was interrupted."""
    logger = coordinator.node.node.get_logger()
    outcome: list[BaseException | None] = []
    done = threading.Event()

    def build() -> None:
        try:
            if source.is_given:
                coordinator.load_source(source)
            outcome.append(None)
        except BaseException as error:
            outcome.append(error)
        done.set()

    threading.Thread(target=build, name="build", daemon=True).start()
    if source.is_given:
        # Logged while the plan is made, since rclpy takes 20 ms for the first message of a process.
        coordinator.node.say(f"planning {source.blueprint or source.config}")
    while not (done.wait(0.05) or stop.wait(0.0)):
        pass
    if not done.is_set():
        return None
    error = outcome[0]
    if error is None:
        if not source.is_given:
            coordinator.node.say("nothing to start: neither blueprint nor config is given; waiting for `fleet load`")
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


def _describe_parameters(node: Node, options: Options) -> None:
    """Declare each parameter with its effective value and its help for ``ros2 param``, read-only from now on."""
    effective = {name: default for name, (default, _) in PARAMETERS.items()} | asdict(options.settings)
    missing = []
    for name, (_, help) in PARAMETERS.items():
        if name in OF_RCLPY:
            continue
        descriptor = ParameterDescriptor(description=help, read_only=True, dynamic_typing=True)
        if node.has_parameter(name):
            node.set_descriptor(name, descriptor)
        else:
            missing.append((name, effective[name], descriptor))
    node.declare_parameters("", missing)
