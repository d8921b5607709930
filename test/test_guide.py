"""The guide's code and files, run without a change."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
TEXT = (ROOT / "docs" / "GUIDE.md").read_text()
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
MODULES, BLUEPRINTS, PROGRAM = [text for kind, text in BLOCKS if kind == "python"]
FLEET_FILE, PARAMS_FILE = [text for kind, text in BLOCKS if kind == "yaml"]

pytest.importorskip("rclpy", reason="the guide's modules use ROS messages")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "my_fleet.py").write_text(f"{MODULES}\n{BLUEPRINTS}")
    (tmp_path / "fleet.yaml").write_text(FLEET_FILE)
    (tmp_path / "params.yaml").write_text(PARAMS_FILE)
    return tmp_path


def run(folder: Path, *words: str) -> str:
    path = f"{folder}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
    environment = {**os.environ, "PYTHONPATH": path}
    ran = subprocess.run(
        [sys.executable, *words], cwd=folder, env=environment, capture_output=True, text=True, timeout=60
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def instances(table: str) -> dict[str, str]:
    """Return the rows of a plan's table by instance."""
    return {line.split()[1]: line for line in table.splitlines()[1:] if "my_fleet:" in line}


def test_blueprints_come_to_the_instances_that_the_guide_says(folder: Path) -> None:
    rows = instances(run(folder, "-c", "import dimos_ros, my_fleet; print(dimos_ros.plan(my_fleet.fleet).table())"))
    assert set(rows) == {
        "alice/localizer",
        "alice/mapper",
        "bob/localizer",
        "bob/rear_mapper",
        "north/carol/localizer",
        "north/carol/mapper",
    }
    assert "map:=/map" in rows["alice/mapper"]
    assert "scan:=rear/scan" in rows["bob/rear_mapper"]
    assert "/north/carol/mapper_container" in rows["north/carol/mapper"]


def test_the_fleet_file_and_the_parameter_file_fit_the_modules(folder: Path) -> None:
    command = ["-m", "dimos_ros.cli.main", "plan", "--config", "fleet.yaml", "--params-file", "params.yaml"]
    output = run(folder, *command)
    rows = instances(output)
    assert set(rows) == {
        "localizer",
        "alice/localizer",
        "alice/mapper",
        "bob/localizer",
        "bob/mapper",
        "bob/rear_mapper",
        "north/carol/mapper",
    }
    assert "resolution=0.2" in rows["alice/mapper"]
    assert "max_range=20.0" in rows["alice/mapper"]
    assert "scan:=front_scan" in rows["alice/mapper"]
    assert "mode='fast'" in rows["bob/rear_mapper"]
    assert "/bob/rear_mapper_container" in rows["bob/rear_mapper"]
    assert "localizer='/localizer'" in rows["north/carol/mapper"]  # the shared module
    assert "dave" not in output


def test_the_program_runs(folder: Path, domain: int) -> None:
    (folder / "program.py").write_text(f"from my_fleet import Bounds, Localizer, Mapper, robot, with_two\n{PROGRAM}")
    printed = run(folder, "program.py").splitlines()
    assert printed[-2].startswith("bob/localizer (Localizer) restarted in ")
    assert "under 'bob' unloaded" in printed[-1]


def test_settings_and_errors_that_the_guide_names_exist() -> None:
    import dimos_ros
    from dimos_ros.coordinator.settings import Settings

    named = re.search(r"bounds\n\(((?:`\w+`, )+)", TEXT)
    assert named is not None
    assert set(re.findall(r"`(\w+)`", named[1])) <= {field.name for field in fields(Settings)}
    imported = re.search(r"`from dimos_ros import ([\w, ]+)`", TEXT)
    assert imported is not None
    assert all(hasattr(dimos_ros, name) for name in imported[1].split(", "))
    assert set(dimos_ros.Module.interface().parameters) >= {"absent_timeout", "call_timeout"}


def test_the_shortened_lifecycle_callbacks_of_the_guide_may_return_nothing() -> None:
    assert "return" not in MODULES.partition("def on_configure")[2].partition("def handle_scan")[0]
