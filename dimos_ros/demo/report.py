"""Reports of the fleet map: the state of each robot, and texts about the fleet."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dimos_ros.demo.grid import Grid


@dataclass
class Robot:
    """The newest map, path [N, 2] in metres, and progress of one robot, with their stamps in nanoseconds."""

    name: str
    grid: Grid | None = None
    path: NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, 2)))
    scans: int = 0
    of: int = 0
    seconds: float = 0.0
    stamps: dict[str, int] = field(default_factory=dict)

    @property
    def metres(self) -> float:
        """The length of the path."""
        return float(np.hypot(*np.diff(self.path, axis=0).T).sum())

    @property
    def is_done(self) -> bool:
        """Whether all scans are mapped, and the map, path and progress of that moment have all arrived."""
        return 0 < self.of <= self.scans and len(self.stamps) == 3 and len(set(self.stamps.values())) == 1


def progress_line(robots: Iterable[Robot]) -> str:
    """Return one line with the progress of each robot."""
    return "   ".join(f"{robot.name} {_of(robot)}" for robot in robots)


def _of(robot: Robot) -> str:
    if not robot.of:
        return f"{robot.scans:,} scans"
    return f"{robot.scans:,} of {robot.of:,} scans ({100 * robot.scans // robot.of} %)"


def title(robots: Sequence[Robot]) -> str:
    """Return the title of a picture."""
    fleet = "one robot" if len(robots) == 1 else f"{len(robots)} robots"
    scans = sum(robot.scans for robot in robots)
    kilometres = sum(robot.metres for robot in robots) / 1000
    return f"MIT Infinite Corridor, mapped by {fleet}: {scans:,} laser scans, {kilometres:.1f} km"


def summary(robots: Sequence[Robot], whole: Grid, seconds: float, pictures: Iterable[Path]) -> str:
    """Return the summary of a run. ``whole`` is the fleet map, and ``seconds`` is how long the run took."""
    scans, of = sum(robot.scans for robot in robots), sum(robot.of for robot in robots)
    lines = [f"{scans:,} of {of:,} scans mapped by {len(robots)} robot{'s' if len(robots) > 1 else ''}:"]
    width = max(len(robot.name) for robot in robots)
    for robot in robots:
        known = robot.grid.known if robot.grid else 0
        lines.append(f"  {robot.name:<{width}}  {_of(robot)}, {robot.metres:,.0f} m, {known:,} cells known")
    log_seconds = sum(robot.seconds for robot in robots)
    area = whole.known * whole.resolution**2
    lines += [
        f"fleet map: {whole.known:,} cells of {whole.resolution:g} m known, {area:,.0f} square metres",
        f"{log_seconds / 60:,.0f} minutes of driving, all robots together, in {seconds:.1f} s: "
        f"{log_seconds / max(seconds, 1e-9):,.0f} times real time",
    ]
    lines += [f"picture: {picture}" for picture in pictures]
    return "\n".join(lines)
