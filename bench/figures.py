"""Measurements as values: samples, comparisons and goals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Figure:
    """Samples of one quantity, in the order in which they were taken."""

    samples: tuple[float, ...]

    @classmethod
    def of(cls, samples: Sequence[float]) -> Figure:
        """Make a figure from numbers. NaN means that a sample was not measured."""
        return cls(tuple(float(sample) for sample in samples if not math.isnan(sample)))

    def quantile(self, fraction: float) -> float:
        """Return the value below which this fraction of the samples lies, or NaN without samples."""
        ordered = sorted(self.samples)
        if not ordered:
            return math.nan
        place = fraction * (len(ordered) - 1)
        low = math.floor(place)
        high = min(low + 1, len(ordered) - 1)
        return ordered[low] + (ordered[high] - ordered[low]) * (place - low)

    @property
    def median(self) -> float:
        return self.quantile(0.5)

    @property
    def p99(self) -> float:
        return self.quantile(0.99)

    @property
    def spread(self) -> float:
        """Half of the interquartile range: how far a typical sample is from the median."""
        return (self.quantile(0.75) - self.quantile(0.25)) / 2

    def to_dict(self) -> dict[str, Any]:
        numbers = {"median": self.median, "p99": self.p99, "spread": self.spread}
        kept = self.samples if len(self.samples) <= 50 else ()
        return {"count": len(self.samples)} | {n: rounded(v) for n, v in numbers.items()} | {"samples": list(kept)}


@dataclass(frozen=True)
class Goal:
    """A limit for our figure, for its ratio to the rival's, or for its difference from the rival's."""

    kind: str
    """Of ours: value, p99. Ours divided by the rival's: ratio, p99_ratio. Ours minus the rival's: more."""
    limit: float
    at_least: bool = False

    def value(self, comparison: Comparison) -> float:
        """Return the number that is compared with the limit."""
        ours, rival = comparison.ours, comparison.rival
        if self.kind == "value":
            return ours.median
        if self.kind == "p99":
            return ours.p99
        if rival is None:
            return math.nan
        if self.kind == "more":
            return ours.median - rival.median
        if self.kind == "p99_ratio":
            return ours.p99 / rival.p99 if rival.p99 else math.nan
        return ours.median / rival.median if rival.median else math.nan

    def is_reached(self, comparison: Comparison) -> bool:
        value = self.value(comparison)
        return value >= self.limit if self.at_least else value <= self.limit

    def text(self, unit: str) -> str:
        """Return the goal as people read it."""
        bound = "at least" if self.at_least else "at most"
        return {
            "value": f"{bound} {self.limit:g} {unit}",
            "p99": f"p99 {bound} {self.limit:g} {unit}",
            "ratio": f"{bound} {self.limit:g} of it",
            "p99_ratio": f"p99 {bound} {self.limit:g} of its p99",
            "more": f"{bound} {self.limit:g} {unit} more",
        }[self.kind]


@dataclass(frozen=True)
class Comparison:
    """One quantity, ours and the rival's. ``rival`` is None if the rival has no such quantity."""

    what: str
    unit: str
    ours: Figure
    rival: Figure | None
    goals: tuple[Goal, ...] = ()

    @property
    def ratio(self) -> float:
        return Goal("ratio", 0).value(self)

    def to_dict(self) -> dict[str, Any]:
        goals = [
            {"goal": g.text(self.unit), "value": rounded(g.value(self)), "reached": g.is_reached(self)}
            for g in self.goals
        ]
        return {
            "what": self.what,
            "unit": self.unit,
            "ours": self.ours.to_dict(),
            "rival": self.rival.to_dict() if self.rival else None,
            "ratio": rounded(self.ratio),
            "goals": goals,
        }


@dataclass
class Result:
    """The result of one benchmark."""

    name: str
    title: str
    rival: str
    """Description of the rival, as it follows the word "beside"."""
    comparisons: list[Comparison] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(
        self, what: str, unit: str, ours: Sequence[float], rival: Sequence[float] | None = None, *goals: Goal
    ) -> Comparison:
        """Add a quantity from samples."""
        theirs = None if rival is None else Figure.of(rival)
        self.comparisons.append(Comparison(what, unit, Figure.of(ours), theirs, goals))
        return self.comparisons[-1]

    def to_dict(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "title": self.title,
            "rival": self.rival,
            "notes": self.notes,
            "comparisons": [comparison.to_dict() for comparison in self.comparisons],
        }


def rounded(value: float) -> float | None:
    """Round to four significant digits. Return None for NaN and for infinity."""
    return None if math.isnan(value) or math.isinf(value) else float(f"{value:.4g}")
