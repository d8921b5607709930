"""A request's id is in the logs of all processes that work on it, and comes from the command line."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("rclpy", reason="needs rclpy")

from conftest import environment_with

HERE = Path(__file__).resolve().parent
FLEET = [sys.executable, "-m", "dimos_ros.cli.main"]


@pytest.fixture
def log(domain: int, tmp_path: Path) -> Iterator[Path]:
    """Return the log of a coordinator and its containers, at level debug for this package."""
    path = tmp_path / "coordinator.log"
    arguments = ["--ros-args", "--log-level", "coordinator:=debug", "-p", "log_level:=debug"]
    arguments += ["-p", "blueprint:=fleet_modules:robot", "-p", "robots:=robot1,robot2"]
    with path.open("w") as file:
        coordinator = subprocess.Popen(
            [sys.executable, "-m", "dimos_ros.coordinator.main", *arguments],
            env=environment_with(PYTHONPATH=f"{HERE}:{os.environ.get('PYTHONPATH', '')}"),
            stdout=file,
            stderr=subprocess.STDOUT,
        )
        try:
            yield path
        finally:
            coordinator.send_signal(signal.SIGINT)
            coordinator.wait(30)


def lines(log: Path, request_id: str) -> list[str]:
    return [line for line in log.read_text().splitlines() if f"#{request_id}" in line]


def fleet(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*FLEET, *arguments], capture_output=True, text=True, timeout=60, check=False)


def wait_for_line(log: Path, pattern: str, timeout: float = 30.0) -> None:
    deadline = time.monotonic() + timeout
    while not re.search(pattern, log.read_text()):
        assert time.monotonic() < deadline, f"no line {pattern!r} in\n{log.read_text()[-3000:]}"
        time.sleep(0.02)


def test_a_restart_is_found_in_the_logs_of_all_processes_by_one_id(log: Path) -> None:
    wait_for_line(log, r"4 of 4 modules up")
    done = fleet("restart", "robot1", "Source", "--request-id", "trace-me")
    assert done.returncode == 0, done.stderr
    wait_for_line(log, r"#trace-me robot1/source \(Source\) restarted in")
    found = lines(log, "trace-me")
    assert "[INFO]" in found[0] and found[0].endswith("[coordinator]: #trace-me restart robot1 Source")
    for logger, text in (
        ("coordinator", r"-> robot1/source_container_2 #trace-me\.\d+ preload fleet_modules:Source"),
        ("coordinator", r"-> robot1/container #trace-me\.\d+ unload /robot1/source"),
        (r"robot1\.container", r"#trace-me\.\d+ unload /robot1/source"),
        (r"robot1\.source_container_2", r"#trace-me\.\d+ load /robot1/source"),
        (r"robot1\.source_container_2", r"#trace-me\.\d+ done after \d+ ms"),
        (r"robot1\.source_container_2", r"#trace-me\.\d+ transition activate /robot1/source"),
        ("coordinator", r"<- #trace-me\.\d+ ok \d+ ms"),
    ):
        assert any(re.search(rf"\[{logger}\]: {text}$", line) for line in found), (logger, text, "\n".join(found))
    assert not any("robot2" in line for line in found), "robot2 has nothing to do with the request"


def test_a_refused_request_is_found_by_its_id_and_touches_no_container(log: Path) -> None:
    wait_for_line(log, r"4 of 4 modules up")
    done = fleet("restart", "robot1", "Mapper", "--request-id", "refuse-me")
    assert done.returncode == 1
    wait_for_line(log, r"#refuse-me refused: no Mapper runs")
    assert all("[coordinator]" in line for line in lines(log, "refuse-me"))


def test_later_events_do_not_carry_the_id_of_an_earlier_request(log: Path) -> None:
    wait_for_line(log, r"4 of 4 modules up")
    done = fleet("restart", "robot1", "Source", "--request-id", "first-one")
    assert done.returncode == 0, done.stderr
    process = re.search(r"in process (\d+)", done.stdout)
    assert process is not None
    os.kill(int(process[1]), signal.SIGKILL)
    wait_for_line(log, r"robot1/source \(Source\) is back, in process \d+")
    crash = next(n for n, line in enumerate(log.read_text().splitlines()) if "ended with signal SIGKILL" in line)
    after = log.read_text().splitlines()[crash:]
    assert not [line for line in after if "first-one" in line]
