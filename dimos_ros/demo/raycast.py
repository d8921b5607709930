"""Ray casting: the levels of the cells around one scan.

Each beam is a line of cells (Bresenham's, in whole numbers) from the laser's cell to the cell where the beam ends. The
last of these cells is HIT, and the others are PASSED. A passed cell is CLEAR if it is near the laser and no beam of the
scan ends close to it. CLEAR overrules a HIT of any other scan. So a person who walked by is gone from the map as soon
as a beam passes the place. Walls stay, although beams graze them and poses are only good to a few centimetres.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dimos_ros.demo.grid import CLEAR, HIT, PASSED, Bounds, Grid
from dimos_ros.demo.scan_log import ScanLog


@dataclass(frozen=True)
class BeamModel:
    """The rules by which a beam is read, in metres.

    ``resolution`` is a cell's side. A beam is followed up to ``max_range``, and a longer beam marks no HIT. A cell that
    a beam passes is CLEAR within ``clear_range`` of the laser. It must be farther than ``margin`` from the end of each
    beam of the scan.
    """

    resolution: float = 0.1
    max_range: float = 15.0
    clear_range: float = 6.0
    margin: float = 0.3


@dataclass(frozen=True, eq=False)
class Scan:
    """One scan and its pose. ``pose`` is as in ScanLog, and ``ranges`` is [B] float32 in metres."""

    pose: tuple[float, float, float, float]
    ranges: NDArray[np.float32]
    angle_min: float
    angle_increment: float
    range_min: float
    range_max: float


def scans_of(log: ScanLog) -> Iterator[Scan]:
    """Yield the scans of a log, one by one."""
    laser = (log.angle_min, log.angle_increment, log.range_min, log.range_max)
    for (x, y, z, w), ranges in zip(log.poses.tolist(), log.ranges, strict=True):
        yield Scan((x, y, z, w), ranges, *laser)


def map_of(log: ScanLog, model: BeamModel) -> Grid:
    """Make the map of a whole log. The mappers together must arrive at the same map."""
    grid = Grid(model.resolution, Bounds.around(*seen(log, model.max_range), model.resolution))
    for scan in scans_of(log):
        grid.merge(evidence(scan, model))
    return grid


def evidence(scan: Scan, model: BeamModel) -> Grid:
    """Make the grid of one scan, which is only as large as its beams reach."""
    resolution = model.resolution
    end_x, end_y, is_hit = _ends(scan, model.max_range)
    x, y = scan.pose[:2]
    start_column, start_row = math.floor(x / resolution), math.floor(y / resolution)
    columns = np.floor(end_x / resolution).astype(np.int64) - start_column
    rows = np.floor(end_y / resolution).astype(np.int64) - start_row

    # From here on, cells are counted from the lower left corner of the grid.
    left, low = min(0, int(columns.min(initial=0))), min(0, int(rows.min(initial=0)))
    width, height = max(0, int(columns.max(initial=0))) - left + 1, max(0, int(rows.max(initial=0))) - low + 1
    levels = np.zeros(height * width, np.uint8)
    passed_columns, passed_rows = _lines(columns, rows)
    passed = (passed_rows - low) * width + passed_columns - left
    levels[passed] = PASSED
    hit_columns, hit_rows = columns[is_hit] - left, rows[is_hit] - low
    levels[hit_rows * width + hit_columns] = HIT

    close = _surroundings(hit_columns, hit_rows, width, height, model.margin / resolution)
    nearby = passed_columns**2 + passed_rows**2 <= (model.clear_range / resolution) ** 2
    levels[passed[nearby & ~close[passed]]] = CLEAR
    bounds = Bounds(start_column + left, start_row + low, width, height)
    return Grid(resolution, bounds, levels.reshape(height, width))


def seen(log: ScanLog, max_range: float) -> tuple[float, float, float, float]:
    """Return least x and y and greatest x and y that beams of up to ``max_range`` reach, in metres."""
    xs, ys = [log.poses[:, 0]], [log.poses[:, 1]]
    for scan in scans_of(log):
        x, y, _ = _ends(scan, max_range)
        xs.append(x)
        ys.append(y)
    x, y = np.concatenate(xs), np.concatenate(ys)
    return float(x.min()), float(y.min()), float(x.max()), float(y.max())


def _ends(scan: Scan, max_range: float) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    """Return where the returned beams end: x and y in metres, and whether each beam hit something."""
    x, y, z, w = scan.pose
    cosine, sine = _directions(scan.angle_min, scan.angle_increment, len(scan.ranges))
    returned = np.isfinite(scan.ranges) & (scan.ranges >= scan.range_min) & (scan.ranges <= scan.range_max)
    ranges = scan.ranges[returned].astype(np.float64)
    is_hit = ranges <= max_range
    length = np.minimum(ranges, max_range)
    cosine, sine = cosine[returned], sine[returned]
    # The yaw's cosine and sine, by the half-angle formulas.
    yaw_cosine, yaw_sine = 1.0 - 2.0 * z * z, 2.0 * z * w
    end_x = x + length * (yaw_cosine * cosine - yaw_sine * sine)
    end_y = y + length * (yaw_sine * cosine + yaw_cosine * sine)
    return end_x, end_y, is_hit


@functools.lru_cache(maxsize=8)
def _directions(angle_min: float, angle_increment: float, beams: int) -> tuple[NDArray[np.float64], ...]:
    angles = [angle_min + beam * angle_increment for beam in range(beams)]
    return np.array([math.cos(angle) for angle in angles]), np.array([math.sin(angle) for angle in angles])


def _lines(columns: NDArray[np.int64], rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the cells of the lines from (0, 0) to each (column, row), including both ends.

    A line has one cell for each step along its longer side. It is the nearest cell across, or the higher of two.
    """
    steps = np.maximum(np.abs(columns), np.abs(rows))
    counts = steps + 1
    line = np.repeat(np.arange(len(steps)), counts)
    step = np.arange(len(line)) - np.repeat(np.cumsum(counts) - counts, counts)
    length = np.maximum(steps, 1)[line]
    return tuple((2 * step * side[line] + length) // (2 * length) for side in (columns, rows))


def _surroundings(
    columns: NDArray[np.int64], rows: NDArray[np.int64], width: int, height: int, radius: float
) -> NDArray[np.bool_]:
    """Mark the cells of a flattened width by height grid that are within ``radius`` cells of the given ones."""
    around_column, around_row = _disc(radius)
    near_columns = (columns[:, None] + around_column).ravel()
    near_rows = (rows[:, None] + around_row).ravel()
    inside = (near_columns >= 0) & (near_columns < width) & (near_rows >= 0) & (near_rows < height)
    close = np.zeros(height * width, np.bool_)
    close[near_rows[inside] * width + near_columns[inside]] = True
    return close


@functools.lru_cache(maxsize=8)
def _disc(radius: float) -> tuple[NDArray[np.int64], ...]:
    """Return the steps from a cell to all cells within ``radius`` cells."""
    reach = np.arange(-math.floor(radius + 1e-9), math.floor(radius + 1e-9) + 1)
    rows, columns = np.meshgrid(reach, reach, indexing="ij")
    within = columns**2 + rows**2 <= radius * radius + 1e-9
    return columns[within], rows[within]
