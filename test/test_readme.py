"""The README's commands and code, run as a reader runs them."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from conftest import own_domain, wait_until

from dimos_ros.cli.launch_arguments import ARGUMENTS

ROOT = Path(__file__).resolve().parent.parent
TEXT = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
COMMANDS = [line[2:] for kind, block in BLOCKS if kind == "console" for line in block.splitlines()]
PROSE = re.sub(r"^```.*?^```$", "", TEXT, flags=re.MULTILINE | re.DOTALL)
INLINE = [
    " ".join(span.split())
    for span in re.findall(r"`([^`]+)`", PROSE)
    if re.match(r"(make|ros2|fleet|coordinator|eval|colcon|python)\s", span)
]

MAKE = ["make demo", "make test", "make shell"]
BUILD = ["colcon build", ". install/setup.sh"]  # run by test_packaging.py
LAUNCH = "ros2 launch dimos_ros multi_robot.launch.py robots:=alice,bob"
PLAN = "fleet plan my_robots:robot --robots alice,bob"
START = "coordinator --ros-args -p blueprint:=my_robots:robot -p robots:=alice,bob"
START_CONFIG = "coordinator --ros-args -p config:=fleet.yaml"
WATCH = "fleet watch"
FLEET = [command for command in COMMANDS if command.startswith("fleet ") and command not in (PLAN, WATCH)]
ROS2 = [command for command in COMMANDS if command.startswith("ros2 ") and command != LAUNCH]
IN_PROSE = {
    "ros2 launch dimos_ros multi_robot.launch.py --show-args",  # test_launch.py
    "make demo",
    "ros2 node",  # stands for all of its verbs, as does "ros2 dimos"
    "ros2 dimos",
    "ros2 run dimos_ros fleet",
    'eval "$(register-python-argcomplete fleet)"',
}

needs_ros = pytest.mark.skipif(
    not os.environ.get("AMENT_PREFIX_PATH") or not shutil.which("coordinator"),
    reason="needs a ROS 2 in which this package is built (make shell)",
)


def block(kind: str, containing: str) -> str:
    """Return the README's only block of a language that contains a text."""
    (found,) = [text for language, text in BLOCKS if language == kind and containing in text]
    return found


def run(command: str, cwd: Path, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["bash", "-c", command], cwd=cwd, capture_output=True, text=True, timeout=120, **options)


def active() -> set[str]:
    """Return the full names of the active modules."""
    listed = subprocess.run(["fleet", "list", "--json", "--timeout", "4"], capture_output=True, text=True, timeout=30)
    modules = json.loads(listed.stdout)
    return {m["full_node_name"] for m in modules if m["state"] == "active"} if isinstance(modules, list) else set()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Make the reader's folder: it has the README's files, is on the Python path, and has its own domain."""
    path = tmp_path_factory.mktemp("reader")
    (path / "my_robots.py").write_text(block("python", "class Battery"))
    (path / "fleet.yaml").write_text(block("yaml", "robots:"))
    with own_domain() as domain, pytest.MonkeyPatch.context() as patch:
        patch.setenv("ROS_DOMAIN_ID", str(domain))
        patch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
        patch.setenv("PYTHONPATH", f"{path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
        yield path


@contextmanager
def started(command: str, cwd: Path, modules: set[str]) -> Iterator[None]:
    """Run a command once its modules are active. Ctrl-C ends it, with exit code 0."""
    process = subprocess.Popen(shlex.split(command), cwd=cwd, start_new_session=True)
    try:
        wait_until(lambda: process.poll() is not None or active() == modules, 60, f"{modules} active")
        assert process.poll() is None, f"{command} ended with exit code {process.poll()}"
        yield
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait()


ALICE_AND_BOB = {f"/{robot}/{module}" for robot in ("alice", "bob") for module in ("battery", "guard")}


@pytest.fixture(scope="module")
def fleet(folder: Path) -> Iterator[Path]:
    """Run the README's fleet with the README's command, and return the folder."""
    with started(START, folder, ALICE_AND_BOB):
        yield folder


def test_no_command_of_the_readme_is_left_untested() -> None:
    assert sorted(COMMANDS) == sorted([*MAKE, *BUILD, LAUNCH, PLAN, START, START_CONFIG, WATCH, *FLEET, *ROS2])
    assert len(FLEET) > 5
    assert len(ROS2) > 3
    assert set(INLINE) == IN_PROSE
    assert {kind for kind, _ in BLOCKS} == {"console", "python", "yaml"}


def test_pictures_and_files_that_the_readme_shows_are_there() -> None:
    shown = re.findall(r"!\[[^\]]*\]\(([^)]+)\)", TEXT)
    assert shown
    named = [span for span in re.findall(r"`([^`\s]+)`", PROSE) if span.startswith(("dimos_ros/", "config/"))]
    shown += re.findall(r"(?<!!)\[[^\]]*\]\((docs/[^)]+)\)", TEXT)
    for path in [*shown, *named]:
        assert (ROOT / path).exists(), path


def test_launch_arguments_that_the_readme_names_exist() -> None:
    named = set(re.findall(r"`(\w+):=", PROSE))
    assert named == {argument.name for argument in ARGUMENTS}


def test_the_module_and_the_blueprint_take_no_more_lines_than_a_screen() -> None:
    lines = [line for line in block("python", "class Battery").splitlines() if line.strip()]
    assert len(lines) <= 28


@needs_ros
def test_plan_shows_each_robots_modules(folder: Path) -> None:
    ran = run(PLAN, folder)
    assert ran.returncode == 0, ran.stderr
    assert all(name.removeprefix("/") in ran.stdout for name in ALICE_AND_BOB)


@needs_ros
def test_lines_typed_while_the_fleet_runs_do_what_they_say(fleet: Path) -> None:
    for command in FLEET:
        ran = run(command, fleet)
        assert ran.returncode == 0, f"{command}: {ran.stderr}"
        assert ran.stdout.strip(), command
        if "load" in command:
            there = {"/carol/battery", "/carol/guard"} if " load " in command else set()
            wait_until(lambda there=there: active() == ALICE_AND_BOB | there, 30, command)
    modules = json.loads(run("fleet list --json", fleet).stdout)
    restarts = {module["full_node_name"]: module["restarts"] for module in modules}
    assert restarts == {"/alice/battery": 1, "/alice/guard": 2, "/bob/battery": 0, "/bob/guard": 0}


@needs_ros
def test_watch_shows_the_fleet_until_ctrl_c(fleet: Path) -> None:
    watch = subprocess.Popen(shlex.split(WATCH), cwd=fleet, stdout=subprocess.PIPE, text=True)
    try:
        assert watch.stdout is not None
        assert watch.stdout.readline().startswith("NAMESPACE")
        watch.send_signal(signal.SIGINT)
        assert watch.wait(10) == 0
    finally:
        watch.kill()
        watch.wait()


@needs_ros
def test_the_guard_has_the_battery_charged_in_time(fleet: Path) -> None:
    assert run("fleet call bob Battery recharge 0.21", fleet).stdout == "0.21\n"
    code = (
        "import rclpy; from sensor_msgs.msg import BatteryState\n"
        "rclpy.init(); node = rclpy.create_node('reader'); seen = []\n"
        "node.create_subscription(BatteryState, '/bob/battery', lambda m: seen.append(m.percentage), 10)\n"
        "while not (seen and seen[-1] > 0.9): rclpy.spin_once(node)\n"
        "assert min(seen) > 0.1, seen"
    )
    completed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30)
    assert completed.returncode == 0, completed.stderr


@pytest.mark.ros2
@needs_ros
def test_lines_of_ros2_do_what_they_say(fleet: Path) -> None:
    expected: dict[str, Callable[[str], bool]] = {
        "ros2 service call /coordinator/restart": lambda out: "success=True" in out,
        "ros2 service call /alice/battery/call": lambda out: "result='0.8'" in out,
        "ros2 component list": lambda out: all(name in out for name in ["/coordinator", *ALICE_AND_BOB]),
        "ros2 lifecycle get": lambda out: out.startswith("active"),
        "ros2 param set": lambda out: "successful" in out,
    }
    assert len(expected) == len(ROS2)
    try:
        for command, (start, holds) in zip(ROS2, expected.items(), strict=True):
            assert command.startswith(start)
            # The command starts a daemon, whose first answers come before it has discovered everything.
            wait_until(lambda command=command, holds=holds: holds(run(command, fleet).stdout), 60, command)
        wait_until(lambda: "/alice/battery" in run("ros2 node list", fleet).stdout, 60)
        assert "/alice/battery" in run("ros2 dimos list --json", fleet).stdout
        assert "/alice/battery" in run("ros2 run dimos_ros fleet list --json", fleet).stdout
    finally:
        run("ros2 daemon stop", fleet)


@needs_ros
def test_completion_is_switched_on_by_the_line_for_it(fleet: Path) -> None:
    (line,) = [command for command in INLINE if command.startswith("eval ")]
    ran = run(f"{line}; complete -p fleet", fleet)
    assert ran.returncode == 0, ran.stderr
    assert "fleet" in ran.stdout


@needs_ros
def test_a_mixed_fleet_comes_from_its_file(folder: Path) -> None:
    with own_domain() as domain, pytest.MonkeyPatch.context() as patch:
        patch.setenv("ROS_DOMAIN_ID", str(domain))
        with started(START_CONFIG, folder, {"/alice/battery", "/alice/guard", "/bob/battery"}):
            pass


@needs_ros
def test_the_python_program_builds_calls_and_restarts(folder: Path) -> None:
    with own_domain() as domain:
        program = block("python", "ModuleCoordinator.build")
        environment = {**os.environ, "ROS_DOMAIN_ID": str(domain)}
        command = [sys.executable, "-c", program]
        ran = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stderr
    assert "Traceback" not in ran.stderr


@pytest.mark.ros2
@needs_ros
def test_the_launch_line_starts_the_robots_it_names(tmp_path: Path) -> None:
    robots = {f"/{robot}/{module}" for robot in ("alice", "bob") for module in ("scan_replay", "mapper")}
    with own_domain() as domain, pytest.MonkeyPatch.context() as patch:
        patch.setenv("ROS_DOMAIN_ID", str(domain))
        with started(LAUNCH, tmp_path, {*robots, "/fleet_map"}):
            pass


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run a line of make, in the environment that make itself would set up."""
    sys.path.insert(0, str(ROOT / "tools"))
    try:
        import environment
    finally:
        del sys.path[0]
    if not shutil.which("make") or not os.environ.get("VIRTUAL_ENV"):
        pytest.skip("needs make, and an environment that it has set up")
    if environment.choose(ROOT, os.environ).venv != Path(os.environ["VIRTUAL_ENV"]):
        pytest.skip("make would set up another environment than the one that this test runs in")

    def line(command: str, *variables: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        words = [*shlex.split(command), "--no-print-directory", *variables]
        shell = {**os.environ, "SHELL": "/bin/bash"}
        return subprocess.run(words, cwd=ROOT, env=shell, input=stdin, capture_output=True, text=True, timeout=300)

    return line


def test_make_demo_leaves_the_pictures(make, domain: int, tmp_path: Path) -> None:
    options = f"--ros-args -p arguments.limit:=200 -p arguments.rate:=0.0 -p arguments.output:={tmp_path}"
    ran = make("make demo", f"DEMO=python -m dimos_ros.demo.multi_robot {options}")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert (tmp_path / "fleet_map.png").is_file()


def test_make_test_runs_all_checks(make) -> None:
    # A dry run, because this test is one of the checks.
    ran = make("make test", "--dry-run")
    assert ran.stdout.split() == ["tools/environment", "run", "tools/checks"]


def test_make_shell_is_a_shell_in_which_the_commands_are_there(make) -> None:
    ran = make("make shell", stdin="command -v fleet coordinator container; exit\n")
    assert ran.returncode == 0, ran.stderr
    assert [Path(line).name for line in ran.stdout.splitlines() if "/" in line][-3:] == [
        "fleet",
        "coordinator",
        "container",
    ]
