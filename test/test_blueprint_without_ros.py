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
    heavy = {"rclpy", "numpy", "pydantic", "yaml"}
    code = f"import sys, dimos_ros; print(sorted({{n.partition('.')[0] for n in sys.modules}} & {heavy}))"
    assert run(code).stdout == "[]\n"


def test_composing_loads_no_ros_where_it_is_missing_and_says_what_running_needs() -> None:
    code = """
from blueprint_modules import FleetMap, Mapper, robot
from dimos_ros import BlueprintError, DimosError, autoconnect, plan
fleet = autoconnect(*(robot.namespace(name, expose={"map"}) for name in ("a", "b")), FleetMap.blueprint())
print(plan(fleet).table())
print(plan(fleet).yaml())
print(Mapper.describe())
try:
    Mapper()
except DimosError as error:
    print(error)
"""
    done = run(WITHOUT_ROS + code)
    assert done.returncode == 0, done.stderr
    assert "a/mapper       blueprint_modules:Mapper      /a/container  map:=/map" in done.stdout
    assert "Mapper cannot run: rclpy is not installed" in done.stdout


@pytest.mark.parametrize("name", ["blueprint", "plan", "names", "fleet_file", "params_file", "source"])
def test_the_tests_of_blueprints_pass_without_ros(name: str) -> None:
    code = (
        "import sys, pytest\nsys.exit(pytest.main(['-q', '-p', 'no:cacheprovider', '-p', 'no:randomly', sys.argv[1]]))"
    )
    done = run(WITHOUT_ROS + code, str(HERE / f"test_{name}.py"))
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
