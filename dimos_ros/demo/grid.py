"""What is known of each cell of a lattice, and how to merge two such grids.

A cell is at one of four levels, and whatever is learned of it can only raise the level. To merge is
to take the higher level, cell by cell. So it does not matter in which order grids are merged, how
they are grouped, or how often one of them is: any number of robots that share out the scans in any
way come to the map that one robot makes of them all, cell for cell.

All grids of one resolution lie on one lattice (cell 0, 0 has its corner at the map's origin), so
that a merge shifts by whole cells.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

UNKNOWN, PASSED, HIT, CLEAR = range(4)
"""Levels: nothing known; a beam passed; a beam ended; seen to be free from nearby (see raycast.py)."""

VALUES = np.array([-1, 10, 100, 0], np.int8)
"""What nav_msgs/OccupancyGrid says for each level, in per cent; below 25 is free to Nav2's map server."""


@dataclass(frozen=True)
class Bounds:
    """A rectangle of cells: the first column and row, and how many there are."""

    column: int
    row: int
    columns: int
    rows: int

    @classmethod
    def around(cls, min_x: float, min_y: float, max_x: float, max_y: float, resolution: float) -> Bounds:
        """The fewest cells that hold these metres."""
        column, row = math.floor(min_x / resolution), math.floor(min_y / resolution)
        last_column, last_row = math.floor(max_x / resolution), math.floor(max_y / resolution)
        return cls(column, row, last_column - column + 1, last_row - row + 1)

    def union(self, other: Bounds) -> Bounds:
        """The smallest rectangle with both in it; one without cells counts for nothing."""
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
    """Levels of the cells within bounds; ``levels`` is uint8 [rows, columns], row 0 the lowest y."""

    def __init__(self, resolution: float, bounds: Bounds, levels: NDArray[np.uint8] | None = None) -> None:
        self.resolution = resolution
        self.bounds = bounds
        self.levels = np.zeros((bounds.rows, bounds.columns), np.uint8) if levels is None else levels

    @classmethod
    def empty(cls, resolution: float) -> Grid:
        """A grid without cells, from which merging starts."""
        return cls(resolution, Bounds(0, 0, 0, 0))

    @property
    def origin(self) -> tuple[float, float]:
        """The lower left corner in metres."""
        return self.bounds.column * self.resolution, self.bounds.row * self.resolution

    @property
    def values(self) -> NDArray[np.int8]:
        """The cells as an OccupancyGrid has them: -1 for unknown, else per cent, [rows, columns]."""
        return VALUES[self.levels]

    @property
    def known(self) -> int:
        """How many cells something is known of."""
        return int(np.count_nonzero(self.levels))

    def grow(self, bounds: Bounds) -> None:
        """Extend the grid so that it has ``bounds`` in it."""
        wanted = self.bounds.union(bounds)
        if wanted != self.bounds:
            grown = Grid(self.resolution, wanted)
            grown._part(self.bounds)[...] = self.levels
            self.bounds, self.levels = grown.bounds, grown.levels

    def merge(self, other: Grid) -> None:
        """Learn what ``other`` knows, growing where it reaches beyond. Raises ValueError for another resolution."""
        if other.resolution != self.resolution:
            raise ValueError(f"a grid of {other.resolution:g} m a cell does not fit on one of {self.resolution:g} m")
        self.grow(other.bounds)
        part = self._part(other.bounds)
        np.maximum(part, other.levels, out=part)

    def trimmed(self) -> Grid:
        """The smallest grid with the same knowledge."""
        rows, columns = np.nonzero(self.levels.any(axis=1))[0], np.nonzero(self.levels.any(axis=0))[0]
        if not len(rows):
            return Grid.empty(self.resolution)
        within = self.levels[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        corner = self.bounds.column + int(columns[0]), self.bounds.row + int(rows[0])
        return Grid(self.resolution, Bounds(*corner, within.shape[1], within.shape[0]), within)

    def within(self, bounds: Bounds) -> Grid:
        """What is known within ``bounds``, in a grid of just that size."""
        part = Grid(self.resolution, self.bounds, self.levels)
        part.grow(bounds)
        return Grid(self.resolution, bounds, part._part(bounds))

    def __eq__(self, other: object) -> bool:
        """Whether both know the same of every cell, however far they reach beyond."""
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
    """All that ``grids`` know, in a grid of its own."""
    whole = Grid.empty(resolution)
    for grid in grids:
        whole.merge(grid)
    return whole


def levels_of(values: NDArray[np.int8]) -> NDArray[np.uint8]:
    """Levels from an OccupancyGrid's values. Raises ValueError for a value that is none of :data:`VALUES`."""
    table = np.full(256, 255, np.uint8)
    table[VALUES.view(np.uint8)] = np.arange(len(VALUES))
    levels = table[values.view(np.uint8)]
    if levels.size and levels.max() == 255:
        raise ValueError(f"an occupancy of {int(values[levels == 255][0])} is none of {VALUES.tolist()}")
    return levels
