"""Grids: the level of each cell of a lattice, and how two grids merge.

Each cell has one of four levels. New knowledge can only raise the level of a cell. A merge takes the higher level of
each cell. So the order, the grouping and the repetition of merges do not matter. However robots share out the scans,
their merged map equals, cell for cell, the map that one robot makes of all scans.

All grids of one resolution lie on the same lattice, in which the corner of cell (0, 0) is the map's origin. So a merge
shifts a grid by whole cells.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

UNKNOWN, PASSED, HIT, CLEAR = range(4)
"""Levels: nothing is known; a beam passed; a beam ended; seen from nearby to be free (see raycast.py)."""

VALUES = np.array([-1, 10, 100, 0], np.int8)
"""The value of each level in nav_msgs/OccupancyGrid, in per cent. For Nav2's map server, less than 25 is free."""


@dataclass(frozen=True)
class Bounds:
    """A rectangle of cells: its first column and row, and the numbers of columns and rows."""

    column: int
    row: int
    columns: int
    rows: int

    @classmethod
    def around(cls, min_x: float, min_y: float, max_x: float, max_y: float, resolution: float) -> Bounds:
        """Return the smallest rectangle of cells that holds these metres."""
        column, row = math.floor(min_x / resolution), math.floor(min_y / resolution)
        last_column, last_row = math.floor(max_x / resolution), math.floor(max_y / resolution)
        return cls(column, row, last_column - column + 1, last_row - row + 1)

    def union(self, other: Bounds) -> Bounds:
        """Return the smallest rectangle that holds both. A rectangle without cells does not count."""
        if not self.cells or not other.cells:
            return self if self.cells else other
        column, row = min(self.column, other.column), min(self.row, other.row)
        return Bounds(
            column,
            row,
            max(self.column + self.columns, other.column + other.columns) - column,
            max(self.row + self.rows, other.row + other.rows) - row,
        )

    @property
    def cells(self) -> int:
        return self.columns * self.rows


class Grid:
    """The levels of the cells within bounds. ``levels`` is uint8 [rows, columns]; row 0 has the lowest y."""

    def __init__(self, resolution: float, bounds: Bounds, levels: NDArray[np.uint8] | None = None) -> None:
        self.resolution = resolution
        self.bounds = bounds
        self.levels = np.zeros((bounds.rows, bounds.columns), np.uint8) if levels is None else levels

    @classmethod
    def empty(cls, resolution: float) -> Grid:
        """Make a grid without cells, to merge others into."""
        return cls(resolution, Bounds(0, 0, 0, 0))

    @property
    def origin(self) -> tuple[float, float]:
        """The lower left corner in metres."""
        return self.bounds.column * self.resolution, self.bounds.row * self.resolution

    @property
    def values(self) -> NDArray[np.int8]:
        """The cells as in an OccupancyGrid, [rows, columns]: -1 for unknown, else per cent."""
        return VALUES[self.levels]

    @property
    def known(self) -> int:
        """The number of cells that are not unknown."""
        return int(np.count_nonzero(self.levels))

    def grow(self, bounds: Bounds) -> None:
        """Extend the grid so that it holds ``bounds``."""
        wanted = self.bounds.union(bounds)
        if wanted != self.bounds:
            grown = Grid(self.resolution, wanted)
            grown._part(self.bounds)[...] = self.levels
            self.bounds, self.levels = grown.bounds, grown.levels

    def merge(self, other: Grid) -> None:
        """Merge ``other`` into this grid, which grows as needed. Raises ValueError for another resolution."""
        if other.resolution != self.resolution:
            raise ValueError(f"a grid of {other.resolution:g} m a cell does not fit on one of {self.resolution:g} m")
        self.grow(other.bounds)
        part = self._part(other.bounds)
        np.maximum(part, other.levels, out=part)

    def trimmed(self) -> Grid:
        """Return the smallest grid with the same known cells."""
        rows, columns = np.nonzero(self.levels.any(axis=1))[0], np.nonzero(self.levels.any(axis=0))[0]
        if not len(rows):
            return Grid.empty(self.resolution)
        within = self.levels[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        corner = self.bounds.column + int(columns[0]), self.bounds.row + int(rows[0])
        return Grid(self.resolution, Bounds(*corner, within.shape[1], within.shape[0]), within)

    def within(self, bounds: Bounds) -> Grid:
        """Return the part within ``bounds``, as a grid of exactly that size."""
        part = Grid(self.resolution, self.bounds, self.levels)
        part.grow(bounds)
        return Grid(self.resolution, bounds, part._part(bounds))

    def __eq__(self, other: object) -> bool:
        """Tell whether every cell has the same level in both. Their bounds may differ."""
        if not isinstance(other, Grid):
            return NotImplemented
        mine, others = self.trimmed(), other.trimmed()
        same_place = mine.resolution == others.resolution and mine.bounds == others.bounds
        return same_place and np.array_equal(mine.levels, others.levels)

    def __repr__(self) -> str:
        return f"Grid({self.resolution:g} m, {self.bounds}, {self.known} cells known)"

    def _part(self, bounds: Bounds) -> NDArray[np.uint8]:
        row, column = bounds.row - self.bounds.row, bounds.column - self.bounds.column
        return self.levels[row : row + bounds.rows, column : column + bounds.columns]


def merged(grids: Iterable[Grid], resolution: float) -> Grid:
    """Merge grids into a new one."""
    whole = Grid.empty(resolution)
    for grid in grids:
        whole.merge(grid)
    return whole


def levels_of(values: NDArray[np.int8]) -> NDArray[np.uint8]:
    """Convert an OccupancyGrid's values to levels. Raises ValueError for a value that is not in :data:`VALUES`."""
    table = np.full(256, 255, np.uint8)
    table[VALUES.view(np.uint8)] = np.arange(len(VALUES))
    levels = table[values.view(np.uint8)]
    if levels.size and levels.max() == 255:
        raise ValueError(f"an occupancy of {int(values[levels == 255][0])} is none of {VALUES.tolist()}")
    return levels
