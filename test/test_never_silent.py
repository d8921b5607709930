"""Whatever ends user code is told at once, as what it is, and ends nothing else."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("rclpy", reason="needs rclpy")

from failing_modules import Ending, Steady

from dimos_ros import BlueprintError, BuildError, ModuleCoordinator, ModuleFailedError
from dimos_ros.blueprint.source import BlueprintSource
from dimos_ros.exceptions import message_of

Build = Callable[..., ModuleCoordinator]

RAISED = {
    "exit": "SystemExit: out of here",
    "interrupt": "KeyboardInterrupt",
    "odd": "OddError: an odd thing",
    "wordless": "WordlessError: its message cannot be had: RuntimeError",
}
ENDED = {
    "end": r"its process \d+ ended with exit code 7",
    "crash": r"its process \d+ ended with signal SIGSEGV",
}


def health(coordinator: ModuleCoordinator) -> dict[str, str]:
    return {str(record.key): record.health for record in coordinator.records()}


@pytest.mark.parametrize("way", [*RAISED, *ENDED])
@pytest.mark.parametrize("where", ["constructor", "on_configure", "on_activate"])
def test_the_end_of_a_module_is_an_answer_with_its_cause(build: Build, where: str, way: str) -> None:
    coordinator = build(Steady.blueprint().namespace("robot1"))
    started = time.monotonic()
    with pytest.raises(BuildError) as caught:
        coordinator.load_blueprint(Ending.blueprint(where=where, way=way).namespace("robot2"))
    assert time.monotonic() - started < 10
    assert "robot2/ending (Ending): " in str(caught.value)
    in_words = {"constructor": "Component constructor threw an exception: "}.get(where, f"{where}: ")
    assert caught.match(".*" + (ENDED[way] if way in ENDED else in_words + RAISED[way]))
    assert health(coordinator) == {"robot1/steady": "ok"}


@pytest.mark.parametrize("way", [*RAISED, *ENDED])
def test_the_end_of_a_blueprint_function_is_an_answer_with_its_cause(build: Build, way: str) -> None:
    coordinator = build(Steady.blueprint())
    source = BlueprintSource(blueprint="failing_modules:ending_blueprint", arguments={"way": way}, namespace="robot2")
    with pytest.raises(BlueprintError) as caught:
        coordinator.load_source(source)
    assert "failing_modules:ending_blueprint" in str(caught.value)
    cause = RAISED[way] if way in RAISED else ENDED[way].replace(r"its process \d+ ", "")
    assert caught.match(f".*{cause}")


@pytest.mark.parametrize(
    ("line", "cause"),
    [
        ("import os; os._exit(7)", ENDED["end"]),
        ("raise SystemExit('out of here')", "importing module_under_edit failed: SystemExit: out of here"),
        ("raise KeyboardInterrupt", "importing module_under_edit raised KeyboardInterrupt"),
    ],
)
def test_a_source_that_ends_its_process_leaves_the_old_module_running_and_is_named(
    build: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str, cause: str
) -> None:
    source = tmp_path / "module_under_edit.py"
    source.write_text("from dimos_ros import Module\n\n\nclass Edited(Module):\n    pass\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    coordinator = build("module_under_edit:Edited")
    source.write_text(f"{source.read_text()}\n{line}\n")
    with pytest.raises(ModuleFailedError, match=f"was not restarted and runs on unchanged: .*{cause}"):
        coordinator.restart_module("Edited")
    assert health(coordinator) == {"edited": "ok"}


def test_an_error_of_another_process_keeps_its_traceback_to_the_last(build: Build) -> None:
    coordinator = build(Steady.blueprint().namespace("robot1"))
    with pytest.raises(BuildError) as caught:
        coordinator.load_blueprint(Ending.blueprint(where="constructor", way="exit").namespace("robot2"))
    assert "Traceback" in caught.value.remote_traceback


def test_a_module_that_ends_its_process_while_it_stops_is_told_of(build: Build) -> None:
    coordinator = build(Ending.blueprint(where="on_deactivate", way="end").namespace("robot1"))
    assert "ended with exit code 7" in coordinator.unload_module(Ending)


def test_the_end_of_the_fork_server_is_named_and_no_exit_code_is_invented(
    build: Build, wait_for: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    coordinator = build(Steady.blueprint().namespace("robot1"))
    first = coordinator.records()[0].container
    assert first is not None
    server = int(Path(f"/proc/{first.pid}/stat").read_text().rpartition(")")[2].split()[1])
    os.kill(server, signal.SIGKILL)
    wait_for(lambda: health(coordinator) == {"robot1/steady": "ok"} and coordinator.records()[0].restarts == 1)
    said = capfd.readouterr().err
    assert f"the fork server (process {server}) has ended" in said
    assert "SIGKILL" not in said


def test_a_message_can_be_had_of_every_error() -> None:
    assert message_of(ValueError("a value")) == "a value"
    assert "cannot be had" in message_of(type("Mute", (Exception,), {"__str__": lambda self: 1 / 0})())
