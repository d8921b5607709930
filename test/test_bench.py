"""The benchmarks run, and write their files. These tests do not judge the figures."""

from __future__ import annotations

import importlib.util
import json
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bench.figures import Comparison, Figure, Goal, Result
from bench.report import number, row
from bench.suite import NAMES, select


def test_quantiles_lie_between_the_samples() -> None:
    figure = Figure.of([4.0, 1.0, 2.0, 3.0, math.nan])
    assert (figure.median, figure.quantile(0.0), figure.quantile(1.0)) == (2.5, 1.0, 4.0)
    assert figure.spread == pytest.approx(0.75)
    assert math.isnan(Figure.of([]).median)


@pytest.mark.parametrize(
    ("goal", "reached"),
    [
        (Goal("value", 2.0), True),
        (Goal("value", 1.9), False),
        (Goal("p99", 3.0), True),
        (Goal("ratio", 0.5), True),
        (Goal("ratio", 0.51, at_least=True), False),
        (Goal("more", -2.0), True),
        (Goal("p99_ratio", 0.4), False),
    ],
)
def test_goals_are_held_against_the_right_number(goal: Goal, reached: bool) -> None:
    comparison = Comparison("", "ms", Figure.of([1.0, 2.0, 3.0]), Figure.of([4.0, 4.0, 4.0]), (goal,))
    assert goal.is_reached(comparison) is reached
    assert row(comparison)[-1] == ("" if reached else "NOT ") + goal.text("ms")


def test_what_was_not_measured_reaches_no_goal() -> None:
    nothing = Comparison("", "ms", Figure.of([]), Figure.of([1.0]), (Goal("ratio", 1.0),))
    assert not nothing.goals[0].is_reached(nothing)
    assert nothing.to_dict()["ours"]["median"] is None


def test_numbers_are_shown_with_the_digits_that_count() -> None:
    assert [number(value) for value in (0.12345, 12.345, 1234.5, 1e6, 0.0, math.nan)] == [
        "0.123",
        "12.3",
        "1234",
        "1.00e+06",
        "0",
        "none",
    ]


def test_an_unknown_benchmark_is_refused_with_those_there_are() -> None:
    with pytest.raises(LookupError, match="no benchmark 'boots'; there are boot, "):
        select(["boots"])
    assert select([]) == list(NAMES)


def test_a_plot_shows_what_was_measured_and_passes_over_what_was_not(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="needs matplotlib")
    from bench.plots import draw

    result = Result("some", "Some title", "a rival")
    result.add("both", "ms", [1.0, 2.0], [3.0])
    result.add("no rival", "ms", [1.0])
    result.add("a rival that did not come to it", "ms", [1.0], [])
    picture = draw(tmp_path, result).read_text()
    assert picture.startswith("<?xml")
    assert picture.rstrip().endswith("</svg>")


@pytest.mark.parametrize("name", [name for name in NAMES if name != "upstream"])
def test_a_benchmark_measures_and_writes(name: str, tmp_path: Path, project_path: Path) -> None:
    pytest.importorskip("rclpy.experimental", reason="needs the EventsExecutor")
    pytest.importorskip("rich", reason="needs rich")
    tables = tmp_path / "tables.md"
    done = subprocess.run(
        [sys.executable, "-m", "bench", name, "--tiny", "--results", str(tmp_path), "--markdown", str(tables)],
        cwd=project_path,
        capture_output=True,
        text=True,
        timeout=240,
        env={**os.environ, "COLUMNS": "200"},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 of 1 benchmarks" in done.stdout
    written = json.loads((tmp_path / f"{name}.json").read_text())
    assert written["name"] == name
    assert written["machine"]["cores"] >= 1
    assert all(comparison["ours"]["count"] >= 1 for comparison in written["comparisons"])
    for comparison in written["comparisons"]:
        assert comparison["what"] in tables.read_text()


def test_without_upstream_dimos_the_benchmark_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("rclpy.experimental", reason="needs the EventsExecutor")
    pytest.importorskip("rich", reason="needs rich")
    from bench.__main__ import main

    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name == "dimos" else find(name, *rest))
    assert main(["upstream", "--results", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert "Not measured: dimos is not installed (pip install dimos)." in said
    assert "1 of 1 benchmarks" in said
    assert list(tmp_path.iterdir()) == []


def test_what_upstream_fails_at_has_its_error_and_no_figure_of_it() -> None:
    pytest.importorskip("rclpy", reason="needs rclpy")
    from bench.upstream import Trial

    def fail() -> float:
        raise RuntimeError("it did not come up:\nTraceback\nValueError: no\n")

    trial, result = Trial(), Result("some", "Some title", "a rival")
    assert [trial(float, "1"), trial(fail), trial(float, "1")] == [1.0, None, None]
    trial.add(result, "a call", "ms", [2.0], [1.0])
    assert result.notes == ["Upstream failed at 'a call': ValueError: no"]
    assert result.comparisons[0].rival == Figure.of([])
    assert result.comparisons[0].goals == ()


def kept(name: str, project_path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((project_path / "bench" / "results" / f"{name}.json").read_text())
    return found


@pytest.mark.parametrize("name", NAMES)
def test_the_page_has_the_results_that_are_kept(name: str, project_path: Path) -> None:
    page = (project_path / "docs" / "PERFORMANCE.md").read_text()
    assert f"](../bench/results/{name}.svg)" in page
    assert (project_path / "bench" / "results" / f"{name}.svg").is_file()
    for comparison in kept(name, project_path)["comparisons"]:
        row = f"| {comparison['what']} | {comparison['unit']} | {number(comparison['ours']['median'])} |"
        assert row in page


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("restart", "call to active again"),
        ("boot", "8 robots of 2 modules, all active"),
        ("memory", "one more robot of 2 modules"),
    ],
)
def test_the_readme_quotes_the_results_that_are_kept(name: str, what: str, project_path: Path) -> None:
    (found,) = [each for each in kept(name, project_path)["comparisons"] if each["what"] == what]
    ours, rival = (f"{number(found[of]['median'])} {found['unit']}" for of in ("ours", "rival"))
    assert f"| {ours} | {rival} |" in (project_path / "README.md").read_text()
