"""Set-up: what it chooses, and that a step is neither skipped when half done nor repeated when done."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parent.parent


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"tools_{name}", ROOT / "tools" / f"{name}.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


tool = load("environment")


@pytest.fixture
def ros2(tmp_path: Path) -> str:
    """A directory for the PATH that has a `ros2`."""
    program = tmp_path / "bin" / "ros2"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    return str(program.parent)


def test_nothing_sourced_means_jazzy_from_wheels() -> None:
    layout = tool.choose(ROOT, {"PATH": "/nowhere"})
    assert (layout.distro, layout.sourced, layout.venv) == ("jazzy", False, ROOT / ".venv")


def test_a_sourced_ros_is_used_unless_another_is_asked_for(ros2: str) -> None:
    there = {"PATH": ros2, "ROS_DISTRO": "rolling"}
    assert tool.choose(ROOT, there).sourced
    other = tool.choose(ROOT, {**there, "DISTRO": "kilted"})
    assert (other.distro, other.sourced, other.venv) == ("kilted", False, ROOT / ".venv-kilted")


def test_inside_an_environment_from_wheels_the_same_one_is_meant() -> None:
    assert tool.choose(ROOT, {"PATH": "/nowhere", "ROS_DISTRO": "kilted"}).distro == "kilted"


def test_an_unknown_distribution_is_refused_naming_those_there_are() -> None:
    with pytest.raises(tool.SetupError, match="no wheels of ROS 2 'humble': there are some of jazzy and kilted"):
        tool.choose(ROOT, {"PATH": "/nowhere", "DISTRO": "humble"})


def test_two_distributions_do_not_mix() -> None:
    shell = {
        "AMENT_PREFIX_PATH": "/opt/ros/jazzy",
        "PYTHONPATH": "/opt/ros/jazzy/lib/python3/site-packages:/home/me/lib",
        "LD_LIBRARY_PATH": "/opt/ros/jazzy/lib",
        "PATH": "/opt/ros/jazzy/bin:/usr/bin",
    }
    result = tool.base_environment(tool.Layout(ROOT, "kilted", False), shell)
    assert not [name for name, value in result.items() if "/opt/ros/jazzy" in value]
    assert result["PYTHONPATH"] == "/home/me/lib"
    assert result["PATH"].endswith(":/usr/bin")


def test_printed_lines_take_a_shell_to_the_environment() -> None:
    before = {"PATH": os.environ["PATH"], "KEPT": "k", "GONE": "g"}
    after = {"PATH": os.environ["PATH"], "KEPT": "k", "NEW": "it's $HOME\n; `x`", "_": "/bin/x"}
    lines = tool.lines_to_source(before, after)
    script = f'{lines}printf \'%s|%s|%s\' "$NEW" "$KEPT" "${{GONE-unset}}"'
    output = subprocess.run(["sh", "-c", script], env=before, capture_output=True, text=True, check=True).stdout
    assert output == f"{after['NEW']}|k|unset"
    assert "PATH" not in lines


def test_a_discovery_range_of_the_users_own_is_kept() -> None:
    layout = tool.Layout(ROOT, "jazzy", False)
    assert tool.base_environment(layout, {})["ROS_AUTOMATIC_DISCOVERY_RANGE"] == "LOCALHOST"
    chosen = {"ROS_AUTOMATIC_DISCOVERY_RANGE": "SUBNET"}
    assert tool.base_environment(layout, chosen)["ROS_AUTOMATIC_DISCOVERY_RANGE"] == "SUBNET"


def test_an_interrupted_step_is_done_again_and_knows_it(tmp_path: Path) -> None:
    told = []
    made = tmp_path / "made"

    def action(interrupted: bool) -> None:
        told.append(interrupted)
        made.touch()
        if len(told) == 2:
            raise KeyboardInterrupt

    def step(key: str) -> object:
        return tool.Step("a step", key, tmp_path / "stamp", tmp_path / "started", (made,), action)

    assert not step("a").is_done()
    step("a").run()
    assert step("a").is_done()
    assert not step("b").is_done()
    with pytest.raises(KeyboardInterrupt):
        step("b").run()
    assert not step("a").is_done()
    assert not step("b").is_done()
    step("b").run()
    assert step("b").is_done()
    made.unlink()
    assert not step("b").is_done()
    assert told == [False, False, True]


def test_a_missing_compiler_is_named_before_anything_is_made(tmp_path: Path) -> None:
    assert "install CMake" in tool.missing_program({"PATH": str(tmp_path)})
    (tmp_path / "cmake").symlink_to("/bin/true")
    assert "install a C++ compiler" in tool.missing_program({"PATH": str(tmp_path)})
    for name in ("cc", "c++", "make"):
        (tmp_path / name).symlink_to("/bin/true")
    assert tool.missing_program({"PATH": str(tmp_path)}) is None


def test_without_a_python_that_will_do_it_says_what_to_install() -> None:
    command = [ROOT / "tools" / "environment", "setup"]
    completed = subprocess.run(
        command, env={"PATH": os.environ["PATH"], "PYTHON": "no-such-python"}, capture_output=True, text=True
    )
    assert completed.returncode == 1
    assert "no suitable Python: it takes CPython 3.10 to 3.14" in completed.stderr
    assert "apt install python3" in completed.stderr


def test_a_second_setup_waits_for_the_first(tmp_path: Path) -> None:
    code = f"""
import sys; sys.path.insert(0, {str(ROOT / "tools")!r})
import environment, pathlib
with environment.only_one(pathlib.Path({str(tmp_path)!r})):
    print("second", flush=True)
"""
    with tool.only_one(tmp_path):
        second = subprocess.Popen(
            [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert "waiting for another set-up" in second.stderr.readline()
        assert second.poll() is None
    output, _ = second.communicate(timeout=30)
    assert output == "second\n"


def test_the_wheels_cmake_files_name_the_python_that_is_here(tmp_path: Path) -> None:
    layout = tool.Layout(tmp_path, "jazzy", False)
    cmake = layout.venv / "share" / "some_msgs" / "cmake"
    cmake.mkdir(parents=True)
    (layout.venv / "bin").mkdir()
    layout.python.symlink_to(sys.executable)
    exported = cmake / "export.cmake"
    exported.write_text(
        '"/opt/python/cp312-cp312/include/python3.12;/opt/python/cp312-cp312/lib/python3.12/site-packages/x"'
    )
    tool.patch_wheels(layout)
    assert "/opt/python" not in exported.read_text()
    assert "/x" in exported.read_text()


def test_all_wheels_are_pinned() -> None:
    for name in ("python.txt", "jazzy.txt", "kilted.txt"):
        lines = [line.split("#")[0].strip() for line in (ROOT / "requirements" / name).read_text().splitlines()]
        loose = [line for line in lines if line and not line.startswith("-r ") and "==" not in line]
        assert loose == []
