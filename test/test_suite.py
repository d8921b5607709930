"""The test suite itself: the fast tests are many, and a test that is unreliable is named."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import FAST

HERE = Path(__file__).resolve().parent

SOMETIMES = """
from pathlib import Path

def test_passes_when_run_again(tmp_path_factory):
    mark = Path({mark!r})
    before = mark.exists()
    mark.touch()
    assert before

def test_never_passes():
    assert False

def test_passes():
    pass
"""


def run_pytest(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(HERE), str(HERE.parent), os.environ.get("PYTHONPATH", "")])
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments]
    environment = {**os.environ, "PYTHONPATH": path}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120)


def test_the_fast_tests_are_most_of_all_tests_and_each_that_is_listed_exists() -> None:
    pytest.importorskip("rclpy", reason="needs rclpy")
    done = run_pytest("-m", "fast", "--collect-only", "-q", "test", folder=HERE.parent)
    found = [line.removeprefix("test/") for line in done.stdout.splitlines() if "::" in line]
    assert len(found) >= 800
    files = {line.partition("::")[0] for line in found}
    tests = {line.partition("[")[0] for line in found}
    assert set(FAST) <= files | tests


@pytest.mark.parametrize("options", [[], ["-n", "1"]], ids=["in one process", "with workers"])
def test_a_test_that_passed_only_when_run_again_is_named_at_the_end(options: list[str], tmp_path: Path) -> None:
    pytest.importorskip("pytest_rerunfailures", reason="needs pytest-rerunfailures")
    (tmp_path / "test_some.py").write_text(SOMETIMES.format(mark=str(tmp_path / "mark")))
    done = run_pytest("-p", "conftest", "--reruns", "2", *options, folder=tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    *_, title, named, closing = done.stdout.splitlines()
    assert " UNRELIABLE: 1 passed only when run again " in title
    assert named == "test_some.py::test_passes_when_run_again"
    assert "1 failed, 2 passed" in closing
