"""The coordinator as people meet it: with the ros2 command line tools."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterator

import pytest

pytest.importorskip("rclpy", reason="needs rclpy")

from fleet_modules import Sink, Source, robot

from dimos_ros import ModuleCoordinator, autoconnect

pytestmark = pytest.mark.ros2

NO_DAEMON = ("--no-daemon", "--spin-time", "3")


@pytest.fixture
def coordinator(domain: int) -> Iterator[ModuleCoordinator]:
    with ModuleCoordinator.build(autoconnect(robot.namespace("robot1"), robot.namespace("robot2"))) as one:
        try:
            yield one
        finally:
            # Those commands that have no option against it leave a daemon.
            ros2("daemon", "stop")


def ros2(*words: str) -> str:
    """What a ros2 command prints. One that did not find its node yet is typed again, as a person would."""
    for _ in range(5):
        completed = subprocess.run(["ros2", *words], capture_output=True, text=True, timeout=90)
        if completed.returncode == 0:
            break
    assert completed.returncode == 0, completed.stdout + completed.stderr
    return completed.stdout


def call(service: str, kind: str, request: str) -> str:
    return ros2("service", "call", f"/coordinator/{service}", f"dimos_interfaces/srv/{kind}", request)


def records(coordinator: ModuleCoordinator) -> dict[str, tuple[str, int]]:
    return {str(record.key): (record.health, record.restarts) for record in coordinator.records()}


def test_service_call_restarts_unloads_loads_and_lists(coordinator: ModuleCoordinator) -> None:
    output = call("restart_module", "RestartModule", "{node_namespace: robot1, class_name: Source}")
    assert "success=True, message='robot1/source (Source) restarted in 0." in output
    assert records(coordinator)["robot1/source"] == ("ok", 1)
    assert records(coordinator)["robot2/source"] == ("ok", 0)
    output = call("restart_module", "RestartModule", "{class_name: Source}")
    assert "success=False" in output
    assert "several fit Source: robot1/source, robot2/source" in output
    output = call("unload_module", "UnloadModule", "{node_namespace: /robot1/, class_name: Sink}")
    assert "success=True" in output
    assert "robot1/sink" not in records(coordinator)
    request = "{blueprint: 'fleet_modules:Sink', node_namespace: robot1, parameters: '{sink: {label: typed}}'}"
    assert "success=True" in call("load_blueprint", "LoadBlueprint", request)
    assert coordinator.get_instance(Sink, namespace="robot1").settings()["label"] == "typed"
    assert "success=True" in call("restart_namespace", "RestartNamespace", "{node_namespace: robot1}")
    assert "success=True" in call("unload_namespace", "UnloadNamespace", "{node_namespace: robot2}")
    output = call("list_modules", "ListModules", "{}")
    assert "2 of 2 modules are up" in output
    assert re.findall(r"full_node_name='([^']*)'", output) == ["/robot1/source", "/robot1/sink"]


def test_component_list_load_and_unload_work_on_the_coordinator(
    coordinator: ModuleCoordinator, wait_for: Callable[..., object]
) -> None:
    everyone = ["/robot1/sink", "/robot1/source", "/robot2/sink", "/robot2/source"]
    wait_for(lambda: fleet_of_coordinator() == everyone, timeout=60)
    output = ros2(
        *("component", "load", "/coordinator", "fleet_modules", "fleet_modules:Sink"),
        *("--node-name", "second", "--node-namespace", "/robot1", "-p", "label:=by_hand"),
    )
    number = re.search(r"'/robot1/second'.*?(\d+)|(\d+).*?/robot1/second", output)
    assert number, output
    second = coordinator.get_instance(Sink, namespace="robot1", name="second")
    assert second.settings()["label"] == "by_hand"
    record = next(record for record in coordinator.records() if record.key.name == "second")
    ros2("component", "unload", "/coordinator", str(record.unique_id))
    assert "robot1/second" not in records(coordinator)
    wait_for(lambda: fleet_of_coordinator() == everyone, timeout=60)


def fleet_of_coordinator() -> list[str]:
    """What `ros2 component list` shows under the coordinator."""
    lines = ros2("component", "list", *NO_DAEMON).splitlines()
    if "/coordinator" not in lines:
        return []
    found = []
    for line in lines[lines.index("/coordinator") + 1 :]:
        if not line.startswith(" "):
            break
        found.append(line.split()[1])
    return sorted(found)


def test_lifecycle_and_param_act_on_one_robot_alone(
    coordinator: ModuleCoordinator, wait_for: Callable[..., object]
) -> None:
    assert "active [3]" in ros2("lifecycle", "get", "/robot1/source", *NO_DAEMON)
    assert "Transitioning successful" in ros2("lifecycle", "set", "/robot1/source", "deactivate", *NO_DAEMON)
    wait_for(lambda: [r.state for r in coordinator.records() if str(r.key) == "robot1/source"] == ["inactive"])
    assert [r.state for r in coordinator.records() if str(r.key) == "robot2/source"] == ["active"]
    assert "Transitioning successful" in ros2("lifecycle", "set", "/robot1/source", "activate", *NO_DAEMON)
    assert "Set parameter successful" in ros2("param", "set", "/robot1/sink", "label", "mine", *NO_DAEMON)
    assert coordinator.get_instance(Sink, namespace="robot1").settings()["label"] == "mine"
    assert coordinator.get_instance(Sink, namespace="robot2").settings()["label"] == "none"
    coordinator.restart_module(Sink, namespace="robot1")
    assert coordinator.get_instance(Sink, namespace="robot1").settings()["label"] == "mine"
    assert coordinator.get_instance(Source, namespace="robot1").pid() > 0
