"""CI, the commit hooks and CONTRIBUTING.md name commands, targets and files that are there."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
WORKFLOW = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())
HOOKS = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())
PAGE = (ROOT / "CONTRIBUTING.md").read_text()
WHEELS = ["jazzy", "kilted"]
ACTIONS = {"actions/checkout", "actions/setup-python", "actions/cache"}
SHELL_WORDS = {"python", "pre-commit"}


def steps(of: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = WORKFLOW["jobs"][of]["steps"]
    return found


def workflow_lines() -> list[str]:
    runs = [step["run"] for job in WORKFLOW["jobs"] for step in steps(job) if "run" in step]
    # An expression of the workflow becomes one word, here any.
    return [re.sub(r"\$\{\{.*?\}\}", "any", line) for run in runs for line in run.splitlines()]


def page_lines() -> list[str]:
    blocks = re.findall(r"^```console\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    return [line.removeprefix("$ ") for block in blocks for line in block.splitlines()]


def hook_lines() -> list[str]:
    return [hook["entry"] for repository in HOOKS["repos"] for hook in repository["hooks"]]


def page_paths() -> list[str]:
    """Files that the page links to or names in backquotes, other than what is built."""
    linked = re.findall(r"\]\((?!http)([^)#]+)\)", PAGE)
    named = re.findall(r"`((?:docs|test|tools|\.[a-z]+)/[\w./]+)`", PAGE)
    return sorted(path for path in {*linked, *named} if not path.startswith(".build/"))


def make_targets() -> set[str]:
    names = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    return set(names)


@pytest.mark.parametrize("line", [*workflow_lines(), *page_lines(), *hook_lines()])
def test_a_command_that_is_named_exists(line: str) -> None:
    command, *arguments = shlex.split(line)
    if command == "make":
        assert [word for word in arguments if "=" not in word and word not in make_targets()] == []
        # Not a real run: make itself says whether it would know what to do.
        dry = subprocess.run(["make", "-n", *arguments], cwd=ROOT, capture_output=True, text=True)
        assert dry.returncode == 0, dry.stderr
    elif "/" in command:
        assert os.access(ROOT / command, os.X_OK)
    else:
        assert command in SHELL_WORDS
    for word in arguments:
        if "/" in word:
            assert (ROOT / word).exists()


@pytest.mark.parametrize("path", page_paths())
def test_a_file_that_contributing_names_exists(path: str) -> None:
    assert (ROOT / path).exists()


def test_each_target_of_make_is_explained_by_help_and_is_no_file() -> None:
    said = subprocess.run(["make", "-s", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    targets = make_targets()
    assert targets - {"help"} <= set(re.findall(r"[a-z]+", said))
    phony = re.findall(r"^\.PHONY: (.*)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert targets == {name for line in phony for name in line.split()}


def test_ci_covers_the_wheels_and_the_images_with_the_real_tools() -> None:
    jobs = WORKFLOW["jobs"]
    assert jobs["wheels"]["strategy"]["matrix"]["distro"] == WHEELS
    assert jobs["images"]["strategy"]["matrix"]["distro"] == ["jazzy", "lyrical"]
    assert jobs["images"]["container"] == "ros:${{ matrix.distro }}"
    assert f"for distro in {' '.join(WHEELS)}; do" in (ROOT / ".ci" / "run").read_text()
    for distro in WHEELS:
        assert (ROOT / "requirements" / f"{distro}.txt").is_file()


def test_only_the_nightly_job_may_fail() -> None:
    # YAML 1.1 reads the key `on` as true.
    assert WORKFLOW[True]["schedule"]
    may_fail = {name for name, job in WORKFLOW["jobs"].items() if job.get("continue-on-error")}
    assert may_fail == {"rolling"}
    assert "schedule" in WORKFLOW["jobs"]["rolling"]["if"]
    assert all(job["timeout-minutes"] <= 60 for job in WORKFLOW["jobs"].values())


def test_ci_uses_no_action_but_githubs_own() -> None:
    used = {step["uses"].partition("@")[0] for job in WORKFLOW["jobs"] for step in steps(job) if "uses" in step}
    assert used <= ACTIONS


def test_commit_hooks_run_each_linter_of_the_checks() -> None:
    checks = re.findall(r"^\s+check (ruff \w+|mypy|codespell)", (ROOT / "tools" / "checks").read_text(), re.MULTILINE)
    assert sorted(hook["name"] for repository in HOOKS["repos"] for hook in repository["hooks"]) == sorted(checks)
    pinned = (ROOT / "requirements" / "python.txt").read_text()
    for linter in {check.split()[0] for check in checks}:
        assert f"\n{linter}==" in pinned


@pytest.mark.parametrize("script", [".ci/run", ".ci/image", "tools/checks", "tools/environment"])
def test_a_shell_script_parses(script: str) -> None:
    shell = (ROOT / script).read_text().splitlines()[0].removeprefix("#!")
    assert subprocess.run([shell, "-n", script], cwd=ROOT, capture_output=True, text=True).stderr == ""
