"""Reports of results: tables for people, JSON for programs."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench import machine
from bench.figures import Comparison, Figure, Result

HEAD = ("", "unit", "ours: median", "p99", "spread", "rival: median", "p99", "spread", "ratio", "goal")


def show(console: Console, result: Result) -> None:
    """Print the table of a result."""
    table = Table(title=f"{result.title}, beside {result.rival}", title_justify="left")
    for number, name in enumerate(HEAD):
        table.add_column(name, justify="left" if number in (0, 1, 9) else "right")
    for comparison in result.comparisons:
        table.add_row(*row(comparison))
    console.print(table)
    for note in result.notes:
        console.print(f"  {note}", style="dim")


def row(comparison: Comparison) -> list[str]:
    """Return a comparison as the cells of a table row."""
    goals = [
        f"{'' if goal.is_reached(comparison) else 'NOT '}{goal.text(comparison.unit)}" for goal in comparison.goals
    ]
    ratio = "" if comparison.rival is None else number(comparison.ratio)
    cells = [comparison.what, comparison.unit, *_cells(comparison.ours), *_cells(comparison.rival), ratio]
    return [*cells, "; ".join(goals)]


def _cells(figure: Figure | None) -> list[str]:
    if figure is None:
        return ["", "", ""]
    several = len(figure.samples) > 1
    return [number(figure.median), number(figure.p99) if several else "", number(figure.spread) if several else ""]


def number(value: float) -> str:
    """Format a number with three significant digits."""
    if math.isnan(value):
        return "none"
    if value == 0 or 0.001 <= abs(value) < 10000:
        return f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"
    return f"{value:.2e}"


def write(folder: Path, result: Result, described: dict[str, Any]) -> Path:
    """Write a result as JSON and return the path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{result.name}.json"
    path.write_text(json.dumps({"machine": described, **result.to_dict()}, indent=1) + "\n")
    return path


def markdown(results: Sequence[Result], described: dict[str, Any]) -> str:
    """Return the tables in the form of docs/PERFORMANCE.md."""
    parts = [f"{machine.text(described)}."]
    for result in results:
        parts.append(f"### {result.title}\n\nBeside {result.rival}.")
        lines = ["| " + " | ".join(HEAD) + " |", "|" + "---|" * len(HEAD)]
        lines += ["| " + " | ".join(row(comparison)) + " |" for comparison in result.comparisons]
        parts.append("\n".join(lines))
        if result.notes:
            parts.append("\n".join(result.notes))
        parts.append(f"![{result.title}](../bench/results/{result.name}.svg)")
    return "\n\n".join(parts) + "\n"
