"""Plots of results: for each quantity, a box of ours above a box of the rival's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bench.figures import Comparison, Figure, Result

COLOURS = {"ours": "#2a9d8f", "rival": "#e9a23b"}


def draw(folder: Path, result: Result) -> Path:
    """Write the plot of a result as an SVG file, and return its path."""
    import matplotlib as mpl

    mpl.use("Agg")
    mpl.rcParams["svg.hashsalt"] = "bench"
    import matplotlib.pyplot as plt

    shown = [c for c in result.comparisons if c.rival is None or c.rival.samples]
    figure, axes = plt.subplots(len(shown), 1, figsize=(7.5, 0.5 + 0.85 * len(shown)), squeeze=False)
    for axis, comparison in zip(axes[:, 0], shown, strict=True):
        _boxes(axis, comparison)
    figure.suptitle(result.title, x=0.01, ha="left", fontsize=11, fontweight="bold")
    figure.text(0.99, 0.99, f"teal: ours; orange: {result.rival}", ha="right", va="top", fontsize=6)
    figure.tight_layout(rect=(0, 0, 1, 1 - 0.15 / (0.5 + 0.85 * len(shown))))
    path = folder / f"{result.name}.svg"
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)
    return path


def _boxes(axis: Any, comparison: Comparison) -> None:
    pairs = [("rival", comparison.rival), ("ours", comparison.ours)]
    found = [(name, figure) for name, figure in pairs if figure is not None and figure.samples]
    drawn = axis.bxp(
        [_box(figure) for _, figure in found],
        orientation="horizontal",
        showfliers=False,
        patch_artist=True,
        widths=0.6,
    )
    for (name, _), patch in zip(found, drawn["boxes"], strict=True):
        patch.set_facecolor(COLOURS[name])
    for median in drawn["medians"]:
        median.set_color("black")
    axis.set_yticks([])
    axis.set_xlim(left=0)
    axis.tick_params(labelsize=6)
    axis.set_title(f"{comparison.what}, {comparison.unit}", fontsize=7, loc="left", pad=2)
    for side in ("top", "right", "left"):
        axis.spines[side].set_visible(False)


def _box(figure: Figure) -> dict[str, Any]:
    quantiles = {"whislo": 0.01, "q1": 0.25, "med": 0.5, "q3": 0.75, "whishi": 0.99}
    return {name: figure.quantile(fraction) for name, fraction in quantiles.items()}
