#!/usr/bin/env python3
"""Make the demo's laser log, dimos_ros/demo/data/corridor.npz, from killian.g2o of the PyPI package rtb-data.

    python -m pip download --no-deps --dest /tmp/rtb rtb-data==2.0.0
    python tools/make_corridor_log.py /tmp/rtb/rtb_data-2.0.0-py3-none-any.whl

The script takes the wheel, the zip file inside it, or killian.g2o itself. It needs numpy.

killian.g2o has three kinds of lines. ``VERTEX_SE2 id x y yaw`` is a pose in metres and radians. A ``ROBOTLASER1`` line
follows each of them: kind, first angle, field of view, angle between beams, greatest range, accuracy, remission mode,
number of ranges, the ranges in metres, number of remissions, poses and speeds, time in seconds since 1970, host,
seconds since the logger's start. ``EDGE_SE2 from to dx dy dyaw information`` is an edge of a pose graph. The poses were
optimised with these edges. The script checks how well poses and edges agree, and does not use the edges otherwise.
"""

from __future__ import annotations

import argparse
import io
import zipfile
from pathlib import Path

import numpy as np

MEMBER = "killian.g2o"
OUTPUT = Path(__file__).resolve().parent.parent / "dimos_ros" / "demo" / "data" / "corridor.npz"
AGREEMENT = 0.02
"""Greatest median distance in metres between edges and poses that were optimised."""


def main() -> None:
    """Read the log, check it, and write the compact file."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("source", type=Path, help="the wheel of rtb-data, killian.g2o.zip, or killian.g2o")
    parser.add_argument("--output", type=Path, default=OUTPUT, help="file to write; by default the demo's own")
    arguments = parser.parse_args()
    log, edges = parse(text_of(arguments.source))
    for kind, error in disagreement(log["poses"], edges).items():
        median, most = np.median(error) * 100, error.max() * 100
        print(f"{kind}: {len(error)} edges, off by {median:.1f} cm in the median, {most:.0f} cm at most")
        if np.median(error) > AGREEMENT:
            raise SystemExit("the poses do not agree with the edges: optimise the pose graph first")
    np.savez_compressed(arguments.output, **log)
    print(f"{arguments.output}: {len(log['poses'])} scans, {arguments.output.stat().st_size / 1e3:.0f} kB")


def text_of(source: Path) -> str:
    """Return the text of killian.g2o, from the archives that it may be in."""
    data = source.read_bytes()
    while zipfile.is_zipfile(io.BytesIO(data)):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = [n for n in archive.namelist() if Path(n).name in (MEMBER, f"{MEMBER}.zip") and "MACOSX" not in n]
            if len(names) != 1:
                raise SystemExit(f"{source} has {len(names)} files named {MEMBER}; expected one")
            data = archive.read(names[0])
    return data.decode("ascii")


def parse(text: str) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Return the arrays of the compact file, and the edges as from, to, dx, dy, dyaw."""
    poses: list[list[float]] = []
    scans: list[list[float]] = []
    times: list[float] = []
    edges: list[list[float]] = []
    lasers = set()
    for line in text.splitlines():
        kind, *words = line.split() or [""]
        if kind == "VERTEX_SE2":
            if int(words[0]) != len(poses):
                raise SystemExit(f"vertex {words[0]} is out of order")
            poses.append([float(word) for word in words[1:4]])
        elif kind == "ROBOTLASER1":
            if len(scans) != len(poses) - 1:
                raise SystemExit(f"a scan has no vertex of its own: {line[:60]}")
            count = int(words[7])
            lasers.add((float(words[1]), float(words[3]), float(words[4]), count))
            scans.append([float(word) for word in words[8 : 8 + count]])
            times.append(float(words[-1]))
        elif kind == "EDGE_SE2":
            edges.append([float(word) for word in words[:5]])
    if len(lasers) != 1 or len(scans) != len(poses):
        raise SystemExit(f"{len(lasers)} kinds of laser, {len(scans)} scans, {len(poses)} vertices")
    ((angle_min, angle_increment, range_max, _),) = lasers
    log = {
        # The text has millionths of a metre and of a radian, so nothing is lost.
        "poses": np.array(poses),
        "seconds": np.round(np.array(times) - times[0], 3),
        "ranges_mm": np.round(np.array(scans) * 1000).astype(np.uint16),
        "laser": np.array([angle_min, angle_increment, range_max]),
    }
    return log, np.array(edges)


def disagreement(poses: np.ndarray, edges: np.ndarray) -> dict[str, np.ndarray]:
    """Return the distance in metres between the end of each edge and its place according to the poses.

    Edges to the next scan and edges that close a loop are separate.
    """
    start, end = poses[edges[:, 0].astype(int)], poses[edges[:, 1].astype(int)]
    cosine, sine = np.cos(start[:, 2]), np.sin(start[:, 2])
    dx, dy = (end - start)[:, :2].T
    error = np.hypot(cosine * dx + sine * dy - edges[:, 2], cosine * dy - sine * dx - edges[:, 3])
    next_scan = edges[:, 1] - edges[:, 0] == 1
    return {"to the next scan": error[next_scan], "closing a loop": error[~next_scan]}


if __name__ == "__main__":
    main()
