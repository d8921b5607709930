"""Blueprints are composed and checked where ROS is missing, and importing the package is quick."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent

WITHOUT_ROS = """
import sys

class Refusal:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"rclpy", "rosidl_parser", "sensor_msgs", "std_msgs", "numpy", "pydantic"}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Refusal())
import importlib.util
find = importlib.util.find_spec
importlib.util.find_spec = lambda name, package=None: None if name == "rclpy" else find(name, package)
"""


def run(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(HERE), str(HERE.parent)])
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        cwd=HERE.parent,
        env={**os.environ, "PYTHONPATH": path},
    )


def test_importing_the_package_loads_nothing_heavy() -> None:
    code = """
import sys
before = set(sys.modules)
import dimos_ros
dir(dimos_ros)
print(*set(sys.modules) - before)
"""
    done = run(code)
    assert done.returncode == 0, done.stderr
    loaded = set(done.stdout.split())
    assert "importlib.metadata" not in loaded
    others = {name for name in loaded if name.partition(".")[0] not in sys.stdlib_module_names}
    assert others == {"dimos_ros", "dimos_ros.exceptions"}


def test_a_blueprint_is_composed_planned_and_described_and_running_it_says_what_is_missing() -> None:
    code = """
from blueprint_modules import FleetMap, Mapper, robot
from dimos_ros import BlueprintError, DimosError, InstanceKey, Plan, autoconnect, plan
fleet = autoconnect(*(robot.namespace(name, expose={"map"}) for name in ("a", "b")), FleetMap.blueprint())
print(plan(fleet).table())
print(plan(fleet).yaml())
print(Mapper.describe())
assert Plan.from_dict(plan(fleet).to_dict()) == plan(fleet)
assert plan(fleet.with_parameters("a/mapper", resolution=0.5)) != plan(fleet)
print(InstanceKey.parse("/a/mapper"))
for wrong in (
    lambda: robot.namespace("1bot"),
    lambda: fleet.with_parameters(Mapper, resolution="coarse"),
    lambda: fleet.remappings([(Mapper, "nothing", "other")]),
    Mapper,
):
    try:
        wrong()
    except DimosError as error:
        print(type(error).__name__, error)
"""
    done = run(WITHOUT_ROS + code)
    assert done.returncode == 0, done.stderr
    assert "a/mapper       blueprint_modules:Mapper      /a/container  map:=/map" in done.stdout
    assert "Occupancy grid from laser scans." in done.stdout
    *_, key, name, value, stream, running = done.stdout.splitlines()
    assert key == "a/mapper"
    assert name.startswith("InvalidNameError ") and "'1bot'" in name
    assert value.startswith("BlueprintError ") and "'coarse'" in value
    assert stream.startswith("BlueprintError ") and "'nothing'" in stream
    assert running.startswith("DimosError Mapper cannot run: rclpy is not installed")


FLEET = """robots:
  - name: scout1
    blueprint: blueprint_modules:robot
    parameters: {mapper: {resolution: 0.05}}
  - {name: arm1, blueprint: blueprint_modules:arm, arguments: {joints: 6}, disabled: [camera]}
"""
PARAMETERS = "/*/mapper: {ros__parameters: {resolution: 0.3}}\n"


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["blueprint_modules:robot", "--robots", "a,b", "--yaml"], 0, "node_namespace: /b"),
        (["blueprint_modules:scouts", "--robots", "x,y", "--arguments", "{shared: false}"], 0, "y/mapper"),
        (["--config", "fleet.yaml"], 0, "scout1/mapper"),
        (["--config", "fleet.yaml", "--params-file", "parameters.yaml", "--yaml"], 0, "resolution: 0.3"),
        (["--config", "wrong_fleet.yaml"], 1, "wrong_fleet.yaml:3: "),
        (["--config", "fleet.yaml", "--params-file", "wrong_parameters.yaml"], 1, "wrong_parameters.yaml:1: "),
        (["blueprint_modules:no_such_thing"], 1, "no_such_thing"),
    ],
)
def test_the_fleet_command_plans_without_ros(arguments: list[str], code: int, said: str, tmp_path: Path) -> None:
    (tmp_path / "fleet.yaml").write_text(FLEET)
    (tmp_path / "wrong_fleet.yaml").write_text(FLEET.replace("blueprint_modules:robot", "blueprint_modules:robo"))
    (tmp_path / "parameters.yaml").write_text(PARAMETERS)
    (tmp_path / "wrong_parameters.yaml").write_text(PARAMETERS.replace("0.3", "coarse"))
    given = [str(tmp_path / word) if word.endswith(".yaml") else word for word in arguments]
    command = "from dimos_ros.cli.main import main\nsys.exit(main(sys.argv[1:]))"
    done = run(WITHOUT_ROS + command, "plan", *given)
    assert done.returncode == code, done.stdout + done.stderr
    assert said in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
