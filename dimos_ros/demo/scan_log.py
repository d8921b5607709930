"""The laser log that the demo replays: scans with poses and times, as arrays.

Poses are quaternions, not angles, as in messages. So a message carries a pose without a change, to the last bit. A map
that is made from messages equals the map that is made from the log.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

CORRIDOR = Path(__file__).parent / "data" / "corridor.npz"


@dataclass(frozen=True, eq=False)
class ScanLog:
    """A log of N scans with B beams.

    ``seconds`` [N] count from the first scan of the whole log. ``poses`` [N, 4] are the laser's in the map's frame: x
    and y in metres, and z and w of the orientation's quaternion. ``ranges`` [N, B] are float32 in metres, and infinite
    for beams that did not return. Angles are in radians.
    """

    seconds: NDArray[np.float64]
    poses: NDArray[np.float64]
    ranges: NDArray[np.float32]
    angle_min: float
    angle_increment: float
    range_min: float
    range_max: float

    def __len__(self) -> int:
        return len(self.seconds)

    @property
    def duration(self) -> float:
        """Seconds from the first scan to the last."""
        return float(self.seconds[-1] - self.seconds[0]) if len(self) else 0.0

    @property
    def path_length(self) -> float:
        """Metres travelled from the first scan to the last."""
        return float(np.hypot(*np.diff(self.poses[:, :2], axis=0).T).sum())

    def first(self, scans: int) -> ScanLog:
        """Return the log with the first ``scans`` scans only, or with all if ``scans`` is 0."""
        return self._slice(0, scans) if scans else self

    def part(self, part: int, parts: int) -> ScanLog:
        """Return stretch ``part``, from 1, of ``parts`` contiguous stretches. Raises ValueError for another number."""
        if not 1 <= part <= parts:
            raise ValueError(f"part {part} of {parts}: parts are numbered from 1 to {parts}")
        return self._slice(len(self) * (part - 1) // parts, len(self) * part // parts)

    def thinned(self, keep_every: int) -> ScanLog:
        """Return the log with one of ``keep_every`` beams, beginning with the first of each scan."""
        return replace(
            self,
            ranges=np.ascontiguousarray(self.ranges[:, ::keep_every]),
            angle_increment=single(self.angle_increment * keep_every),
        )

    def _slice(self, start: int, stop: int) -> ScanLog:
        return replace(
            self,
            seconds=self.seconds[start:stop],
            poses=self.poses[start:stop],
            ranges=self.ranges[start:stop],
        )


@functools.cache
def corridor() -> ScanLog:
    """Load the log in the package. ``data/corridor.txt`` says where it comes from."""
    with np.load(CORRIDOR) as file:
        poses, seconds, millimetres, laser = (file[name] for name in ("poses", "seconds", "ranges_mm", "laser"))
    angle_min, angle_increment, range_max = (single(value) for value in laser)
    ranges = (millimetres / 1000).astype(np.float32)
    ranges[ranges >= range_max] = np.inf
    # Python's own functions, because the last bit of numpy's may depend on an element's place in the array.
    quaternions = [(math.sin(yaw / 2), math.cos(yaw / 2)) for yaw in poses[:, 2]]
    return ScanLog(
        seconds,
        np.hstack([poses[:, :2], np.array(quaternions)]),
        ranges,
        angle_min,
        angle_increment,
        range_min=single(0.1),
        range_max=range_max,
    )


def single(value: float) -> float:
    """Round ``value`` to a float32, as a LaserScan carries it."""
    return float(np.float32(value))
