"""The demo's two pictures: the fleet map, and the map of each robot."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dimos_ros.demo.grid import CLEAR, HIT, PASSED, UNKNOWN, Bounds, Grid, merged

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Colour = tuple[float, float, float]

WALL, BACKGROUND, FLOOR = (0.13, 0.16, 0.22), (0.925, 0.935, 0.95), (1.0, 1.0, 1.0)
FEW = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
TINT = 0.22
"""Share of a robot's colour in the floor that it saw."""
PIXELS = 1500
"""Approximate number of pixels of the longer side of a map."""
CLOSE_UP = 45.0
"""Width in metres of the part of the fleet map that is enlarged."""
LEGEND_ROBOTS = 20
"""Greatest number of robots that the fleet map lists by name."""


@dataclass(frozen=True, eq=False)
class RobotMap:
    """The map and the path of one robot. ``path`` is [N, 2] in metres, with one position per scan."""

    name: str
    grid: Grid
    path: NDArray[np.float64]

    @property
    def path_length(self) -> float:
        """Metres from the first position to the last."""
        return float(np.hypot(*np.diff(self.path, axis=0).T).sum())


def draw_fleet_map(robots: Sequence[RobotMap], file: Path, title: str) -> Path:
    """Draw the map that all robots made together. The floor has the colours of the robots that saw it."""
    whole = merged([robot.grid for robot in robots], robots[0].grid.resolution).trimmed()
    figure, (axes,) = _page(1, 1, whole)
    hues = colours(len(robots))
    _draw(axes, whole, whole.bounds, robots, hues)
    if len(robots) <= len(FEW):
        axes.legend(loc="lower right", bbox_to_anchor=(0.99, 0.055), frameon=False, fontsize=9)
    elif len(robots) <= LEGEND_ROBOTS:
        figure.legend(loc="outside lower center", ncols=4, frameon=False, fontsize=8)
    _draw_close_up(axes, whole, robots, hues)
    return _save(figure, [axes], title, file)


def draw_robot_maps(robots: Sequence[RobotMap], file: Path, title: str) -> Path:
    """Draw each robot's own map to one scale and in one frame, with the other maps faint beneath it."""
    whole = merged([robot.grid for robot in robots], robots[0].grid.resolution).trimmed()
    columns = math.ceil(math.sqrt(len(robots)))
    rows = math.ceil(len(robots) / columns)
    figure, axes = _page(rows, columns, whole)
    for place, robot, hue in zip(axes, robots, colours(len(robots)), strict=False):
        _draw(place, whole, whole.bounds, [robot], [hue], faint=True, pixels=PIXELS // columns)
        place.set_title(_label(robot), fontsize=9, color=hue)
    for place in axes[len(robots) :]:
        place.set_visible(False)
    return _save(figure, axes[: len(robots)], title, file)


def colours(count: int) -> list[Colour]:
    """Return this many colours that are as distinct as possible."""
    from matplotlib.colors import hsv_to_rgb, to_rgb

    if count <= len(FEW):
        return [to_rgb(colour) for colour in FEW[:count]]
    hues = [hsv_to_rgb((i / count, 0.85, 0.45 + 0.35 * (i % 2))) for i in range(count)]
    return [(float(red), float(green), float(blue)) for red, green, blue in hues]


def _page(rows: int, columns: int, whole: Grid) -> tuple[Figure, list[Axes]]:
    """Make a figure with rows and columns of places for maps of the size of ``whole``."""
    # Not pyplot, because it keeps state for the whole process.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    width = 11.0
    height = width / columns * rows * min(5.0, whole.bounds.rows / max(1, whole.bounds.columns)) + 0.3 + 0.3 * rows
    figure = Figure(figsize=(width, height), dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
    return figure, list(axes.ravel())


def _draw(
    axes: Axes,
    whole: Grid,
    frame: Bounds,
    robots: Sequence[RobotMap],
    hues: Sequence[Colour],
    faint: bool = False,
    pixels: int = PIXELS,
) -> None:
    """Draw the map within ``frame`` and the robots' paths. ``faint`` pales the parts that no robot saw."""
    factor = max(1, math.ceil(max(frame.columns, frame.rows) / pixels))
    grids = [_reduced(robot.grid, frame, factor) for robot in robots]
    image = _image(_reduced(whole, frame, factor), grids, hues, faint)
    rows, columns = image.shape[:2]
    x, y, step = frame.column * whole.resolution, frame.row * whole.resolution, factor * whole.resolution
    extent = (x, x + columns * step, y, y + rows * step)
    axes.imshow(image, origin="lower", extent=extent, interpolation="antialiased")
    for robot, hue in zip(robots, hues, strict=True):
        if len(robot.path):
            mark: dict[str, Any] = {"color": hue, "markersize": 5, "markeredgecolor": "white", "linestyle": "none"}
            axes.plot(*robot.path.T, color=hue, linewidth=0.6 if faint else 1.0, label=_label(robot))
            axes.plot(*robot.path[0], marker="o", **mark)
            axes.plot(*robot.path[-1], marker="s", **mark)
    axes.set_xlim(extent[:2])
    axes.set_ylim(extent[2:])


def _image(
    levels: NDArray[np.uint8], grids: Sequence[NDArray[np.uint8]], hues: Sequence[Colour], faint: bool
) -> NDArray[np.float64]:
    """Return the image of a map, [rows, columns, RGB]. The floor has the mixed colours of the grids that know it."""
    image = np.empty((*levels.shape, 3))
    image[...] = BACKGROUND
    image[_is_floor(levels)] = FLOOR
    image[levels == HIT] = WALL
    if faint:
        image += (np.array(BACKGROUND) - image) * 0.75
    seen_by = np.zeros(levels.shape)
    mixed = np.zeros_like(image)
    for grid, hue in zip(grids, hues, strict=True):
        seen_by += _is_floor(grid)
        mixed[_is_floor(grid)] += hue
        if faint:
            image[grid == HIT] = WALL
    tinted = (seen_by > 0) & (faint | (levels != HIT))
    image[tinted] = np.array(FLOOR) * (1 - TINT) + mixed[tinted] / seen_by[tinted, None] * TINT
    return image


def _is_floor(levels: NDArray[np.uint8]) -> NDArray[np.bool_]:
    return (levels == PASSED) | (levels == CLEAR)


def _reduced(grid: Grid, frame: Bounds, factor: int) -> NDArray[np.uint8]:
    """Return the levels within ``frame``, one for each ``factor`` by ``factor`` cells.

    If one of these cells is a wall, the result is a wall.
    """
    order = np.array([UNKNOWN, PASSED, CLEAR, HIT], np.uint8)
    rank = np.argsort(order).astype(np.uint8)
    rows, columns = -(-frame.rows // factor), -(-frame.columns // factor)
    ranks = np.zeros((rows * factor, columns * factor), np.uint8)
    ranks[: frame.rows, : frame.columns] = rank[grid.within(frame).levels]
    return order[ranks.reshape(rows, factor, columns, factor).max(axis=(1, 3))]


def _draw_close_up(axes: Axes, whole: Grid, robots: Sequence[RobotMap], hues: Sequence[Colour]) -> None:
    """Enlarge the part of the map with the most known cells, if the picture has room for it."""
    side = int(CLOSE_UP / whole.resolution)
    known = whole.levels > 0
    if min(known.shape) < 2 * side:
        return
    room = next((found for share in (0.42, 0.38, 0.34, 0.3, 0.26) if (found := _empty_square(known, share))), None)
    if room is None:
        return
    sums = _window_sums(known, side, side)
    row, column = np.unravel_index(np.argmax(sums), sums.shape)
    frame = Bounds(whole.bounds.column + int(column), whole.bounds.row + int(row), side, side)
    close_up = axes.inset_axes(room)
    _draw(close_up, whole, frame, robots, hues)
    close_up.set_xticks([])
    close_up.set_yticks([])
    _scale_bar(close_up)
    axes.indicate_inset_zoom(close_up, edgecolor="#9aa5b5", alpha=1.0, linewidth=0.8)


def _empty_square(known: NDArray[np.bool_], share: float) -> tuple[float, float, float, float] | None:
    """Return a square in which nothing is known: left, low, width and height in fractions of the map.

    ``share`` is its side in fractions of the map's height. The rightmost of such squares is chosen, and of several the
    highest. All are clear of the legend in the corner.
    """
    rows, columns = known.shape
    side = int(share * rows)
    margin = int(0.02 * rows)
    sums = _window_sums(known, side + 2 * margin, side + 2 * margin)
    sums[: int(0.14 * rows)] = 1
    free_rows, free_columns = np.nonzero(sums == 0)
    if not len(free_rows):
        return None
    best = np.lexsort((free_rows, free_columns))[-1]
    row, column = int(free_rows[best]) + margin, int(free_columns[best]) + margin
    return column / columns, row / rows, side / columns, side / rows


def _window_sums(known: NDArray[np.bool_], height: int, width: int) -> NDArray[np.int64]:
    """Count the known cells in each window. The window's lower left corner is at each cell in turn."""
    total = np.zeros((known.shape[0] + 1, known.shape[1] + 1), np.int64)
    total[1:, 1:] = known.cumsum(axis=0, dtype=np.int64).cumsum(axis=1)
    return total[height:, width:] - total[:-height, width:] - total[height:, :-width] + total[:-height, :-width]


def _label(robot: RobotMap) -> str:
    return f"{robot.name}: {len(robot.path):,} scans, {robot.path_length:,.0f} m"


def _save(figure: Figure, axes: Sequence[Axes], title: str, file: Path) -> Path:
    figure.suptitle(title, fontsize=11)
    for place in axes:
        _scale_bar(place)
        place.tick_params(labelsize=7, length=2)
        place.label_outer()
    x_label, y_label = "x in metres      ● start   ■ end", "y in metres"
    if len(axes) == 1:
        # The figure's own labels would lie on a legend that is outside of the axes.
        axes[0].set_xlabel(x_label, fontsize=8)
        axes[0].set_ylabel(y_label, fontsize=8)
    else:
        figure.supxlabel(x_label, fontsize=8)
        figure.supylabel(y_label, fontsize=8)
    figure.savefig(file)
    return file


def _scale_bar(axes: Axes) -> None:
    left, right = axes.get_xlim()
    low, high = axes.get_ylim()
    width = right - left
    length = max(step for step in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000) if step == 1 or step < width / 4)
    x, y = right - 0.03 * width - length, low + 0.03 * (high - low)
    axes.plot([x, x + length], [y, y], color=WALL, linewidth=2.5, solid_capstyle="butt")
    patch = {"facecolor": BACKGROUND, "alpha": 0.8, "linewidth": 0, "pad": 1.5}
    above = y + 0.012 * (high - low)
    axes.text(x + length / 2, above, f"{length} m", ha="center", va="bottom", fontsize=8, bbox=patch)
    for spine in axes.spines.values():
        spine.set_color("#9aa5b5")
