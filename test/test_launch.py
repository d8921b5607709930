"""multi_robot.launch.py with the real launch: what it starts, how it ends, what is left."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from conftest import process_exists, wait_until

from dimos_ros.cli.launch_arguments import ARGUMENTS

pytestmark = pytest.mark.ros2

HERE = Path(__file__).resolve().parent
MARK = "TEST_OF_LAUNCH"
"""Environment variable by which a process is known to be of one launch."""
LAUNCH = ["ros2", "launch", "dimos_ros", "multi_robot.launch.py"]


class Launched:
    """``ros2 launch`` in a container of its own, as a terminal starts it."""

    def __init__(self, arguments: Sequence[str]) -> None:
        self.mark = uuid.uuid4().hex
        path = f"{HERE}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
        self.process = subprocess.Popen(
            [*LAUNCH, *arguments],
            env={**os.environ, "PYTHONPATH": path, MARK: self.mark},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    @property
    def output(self) -> str:
        return "".join(self.lines)

    def wait(self, timeout: float = 60) -> int:
        """The exit code."""
        code = self.process.wait(timeout)
        self._reader.join(10)
        return code

    def interrupt(self) -> None:
        """What Ctrl-C in a terminal does: every process of the group gets the signal."""
        os.killpg(self.process.pid, signal.SIGINT)

    def kill(self) -> None:
        for pid in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()

    def processes(self) -> set[int]:
        """The launched processes and all that came of them, whoever is their parent by now."""
        return {pid for pid in (int(path.name) for path in Path("/proc").glob("[0-9]*")) if self._is_of_this(pid)}

    def _is_of_this(self, pid: int) -> bool:
        try:
            environment = Path(f"/proc/{pid}/environ").read_bytes()
        except OSError:
            return False
        return f"{MARK}={self.mark}".encode() in environment.split(b"\0") and process_exists(pid)

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line)


@pytest.fixture
def launch(domain: int) -> Iterator[type[Launched] | object]:
    """Launches; whatever is left of it in the end is killed."""
    started: list[Launched] = []

    def start(*arguments: str) -> Launched:
        started.append(Launched(arguments))
        return started[-1]

    yield start
    for launched in started:
        launched.kill()


def states() -> list[str]:
    """Name and state of each module that the coordinator lists."""
    command = [sys.executable, "-m", "dimos_ros.cli.main", "list", "--timeout", "1"]
    lines = subprocess.run(command, capture_output=True, text=True, timeout=30).stdout.splitlines()
    return [" ".join((row := line.split())[0:1] + row[2:4]) for line in lines[1:]]


SMALL = ["blueprint:=small_fleet:fleet"]
UP = sorted(f"{robot} {name} active" for robot in ("a", "b") for name in ("beacon", "listener"))


def test_show_args_lists_every_argument_with_what_it_is_for_and_its_default() -> None:
    shown = subprocess.run([*LAUNCH, "--show-args"], capture_output=True, text=True, timeout=60)
    assert shown.returncode == 0, shown.stderr
    for argument in ARGUMENTS:
        assert (
            f"'{argument.name}':\n        {argument.description}\n        (default: '{argument.default}')"
            in shown.stdout
        )


def test_ctrl_c_brings_the_fleet_down_in_order_and_leaves_nothing(launch) -> None:
    launched = launch(*SMALL, "robots:=a b")
    wait_until(lambda: sorted(states()) == UP, 60, "both robots up")
    assert len(launched.processes()) >= 5  # launch, coordinator, fork server, two containers
    launched.interrupt()
    assert launched.wait() == 0, launched.output
    assert "process has finished cleanly" in launched.output
    assert "escalating" not in launched.output
    wait_until(lambda: not launched.processes(), 5, "no process left")
    assert "Traceback" not in launched.output


def test_when_the_coordinator_is_told_to_end_it_ends_in_order_and_the_launch_with_it(launch) -> None:
    launched = launch(*SMALL, "robots:=1")
    wait_until(lambda: len(states()) == 2, 60, "a robot up")
    coordinator = int(re.search(r"process started with pid \[(\d+)\]", launched.output)[1])
    os.kill(coordinator, signal.SIGTERM)
    assert launched.wait() == 0, launched.output
    wait_until(lambda: not launched.processes(), 5, "no process left")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["blueprint:=no_such_package:fleet"], "no_such_package"),
        (["robots:=a,a"], "'a'"),
        ([*SMALL, "arguments:={perio: 1.0}"], "period"),
        (["config:=/no/such/file.yaml"], "/no/such/file.yaml"),
        (["log_level:=loud"], "loud"),
        (["arguments:=7"], "arguments takes a YAML mapping"),
    ],
)
def test_a_fleet_that_cannot_start_ends_the_launch_with_a_code_and_the_reason(launch, arguments, sentence) -> None:
    launched = launch(*arguments)
    assert launched.wait() == 1, launched.output
    assert sentence in launched.output
    assert "Traceback" not in launched.output
    wait_until(lambda: not launched.processes(), 5, "no process left")


def test_arguments_reach_the_modules(launch) -> None:
    launched = launch(*SMALL, "robots:=a", "arguments:={period: 0.125}", "use_sim_time:=true", "log_level:=warn")
    wait_until(lambda: len(states()) == 2, 60, "a robot up")

    def value(name: str) -> str:
        command = ["ros2", "param", "get", "--no-daemon", "--spin-time", "2", "--hide-type", "/a/beacon", name]
        return subprocess.run(command, capture_output=True, text=True, timeout=60).stdout.strip()

    wait_until(lambda: value("period") == "0.125", 60)
    wait_until(lambda: value("use_sim_time") == "True", 60)
    launched.interrupt()
    assert launched.wait() == 0


def test_of_a_config_the_robots_that_were_named_are_started(launch) -> None:
    share = subprocess.run(
        ["ros2", "pkg", "prefix", "--share", "dimos_ros"], capture_output=True, text=True, timeout=60
    )
    launched = launch(f"config:={share.stdout.strip()}/config/mixed_fleet.yaml", "robots:=scout2,rover1")
    names = ["scout2 scan_replay", "scout2 mapper", "/ fleet_map"]
    names += [f"rover1 {name}" for name in ("scan_replay", "beam_thinner", "arm", "mapper")]
    wait_until(lambda: sorted(states()) == sorted(f"{name} active" for name in names), 60, "the two robots up")
    launched.interrupt()
    assert launched.wait() == 0, launched.output


def test_the_default_launch_runs_the_demo_to_its_summary(launch, tmp_path: Path) -> None:
    launched = launch(f"arguments:={{rate: 0.0, limit: 400, output: {tmp_path}}}")
    assert launched.wait(120) == 0, launched.output
    assert "400 of 400 scans mapped by 2 robots" in launched.output
    assert (tmp_path / "fleet_map.png").stat().st_size > 10_000
    assert "escalating" not in launched.output
    wait_until(lambda: not launched.processes(), 5, "no process left")
