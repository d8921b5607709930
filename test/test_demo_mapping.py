"""The demo's log, its ray casting, and its maps, without ROS."""

from __future__ import annotations

import functools
import importlib.util
import itertools
import math
import random
import zipfile

import numpy as np
import pytest

from dimos_ros.demo.grid import CLEAR, HIT, PASSED, UNKNOWN, VALUES, Bounds, Grid, levels_of, merged
from dimos_ros.demo.raycast import BeamModel, Scan, evidence, map_of, scans_of, seen
from dimos_ros.demo.scan_log import CORRIDOR, ScanLog, corridor, single

MODEL = BeamModel()


@functools.cache
def short_log() -> ScanLog:
    return corridor().first(400)


# -------------------------------------------------------------------------------------------------- the log


def test_the_log_has_every_scan_of_the_recording():
    log = corridor()
    assert len(log) == 3873
    assert log.ranges.shape == (3873, 180)
    assert log.ranges.dtype == np.float32
    assert log.duration == pytest.approx(7672.69)
    assert log.path_length == pytest.approx(1906.26, abs=0.01)
    assert (np.diff(log.seconds) > 0).all()
    assert math.degrees(log.angle_increment) == pytest.approx(1.0, abs=1e-4)
    returned = log.ranges[np.isfinite(log.ranges)]
    assert returned.min() == single(0.29)
    assert returned.max() < log.range_max == 50.0
    # The quaternions are of a yaw alone, and no two scans have the same pose.
    assert np.hypot(log.poses[:, 2], log.poses[:, 3]) == pytest.approx(1.0)
    assert len(np.unique(log.poses, axis=0)) == 3873


def test_the_log_is_small_and_says_where_it_comes_from():
    assert CORRIDOR.stat().st_size < 2_000_000
    text = CORRIDOR.with_suffix(".txt").read_text()
    assert all(
        word in text for word in ("rtb-data", "MIT License", "Permission is hereby granted", "make_corridor_log")
    )


@pytest.mark.parametrize("parts", [1, 2, 5, 7, 3873])
def test_parts_of_the_log_are_all_of_it_and_share_nothing(parts):
    log = corridor()
    stretches = [log.part(part, parts) for part in range(1, parts + 1)]
    assert min(map(len, stretches)) >= len(log) // parts
    assert np.array_equal(np.concatenate([stretch.seconds for stretch in stretches]), log.seconds)
    assert np.array_equal(np.concatenate([stretch.ranges for stretch in stretches]), log.ranges)


@pytest.mark.parametrize(("part", "parts"), [(0, 2), (3, 2), (1, 0)])
def test_a_part_that_is_none_of_the_log_is_an_error(part, parts):
    with pytest.raises(ValueError, match="parts are numbered"):
        corridor().part(part, parts)


G2O = """\
VERTEX_SE2 0 1.0 2.0 0.5
ROBOTLASER1 0 -1.570796 3.141593 0.017453 50.000000 0.1 0 3 1.27 50.01 3.05  0 1 2 0.5 1 2 0.5 0 0 0 0 0 100.5 host 7.25
VERTEX_SE2 1 1.5 2.5 0.25
ROBOTLASER1 0 -1.570796 3.141593 0.017453 50.000000 0.1 0 3 1.28 0.29 4.00  0 1 2 0.5 1 2 0.5 0 0 0 0 0 101.5 host 9.5
#SEQUENTIAL
EDGE_SE2 0 1 0.678504 0.199079 -0.25 500 0 0 500 0 5000
"""


def test_the_script_that_made_the_log_reads_scans_poses_and_times(project_path, tmp_path):
    spec = importlib.util.spec_from_file_location("make", project_path / "tools" / "make_corridor_log.py")
    make = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(make)
    with zipfile.ZipFile(tmp_path / "killian.g2o.zip", "w") as archive:
        archive.writestr("killian.g2o", G2O)
    with zipfile.ZipFile(tmp_path / "package.whl", "w") as archive:
        archive.write(tmp_path / "killian.g2o.zip", "rtbdata/data/killian.g2o.zip")
    assert make.text_of(tmp_path / "package.whl") == G2O

    log, edges = make.parse(G2O)
    assert log["poses"].tolist() == [[1.0, 2.0, 0.5], [1.5, 2.5, 0.25]]
    assert log["ranges_mm"].tolist() == [[1270, 50010, 3050], [1280, 290, 4000]]
    assert log["seconds"].tolist() == [0.0, 2.25]
    assert log["laser"].tolist() == [-1.570796, 0.017453, 50.0]
    assert make.disagreement(log["poses"], edges)["to the next scan"] == pytest.approx([0.0], abs=1e-6)
    with pytest.raises(SystemExit, match="vertex 1 is out of order"):
        make.parse(G2O.replace("VERTEX_SE2 0", "VERTEX_SE2 1"))


# ----------------------------------------------------------------------------------------------- ray casting


def line(column: int, row: int) -> list[tuple[int, int]]:
    """Return the cells from (0, 0) to (column, row), one for each step along the longer side."""
    steps = max(abs(column), abs(row), 1)
    return [(math.floor(column * k / steps + 0.5), math.floor(row * k / steps + 0.5)) for k in range(steps + 1)]


def evidence_by_brute_force(scan: Scan, model: BeamModel) -> dict[tuple[int, int], int]:
    """Return the level of each cell around a scan, found beam by beam and cell by cell."""
    x, y, z, w = scan.pose
    start = math.floor(x / model.resolution), math.floor(y / model.resolution)
    passed, hits = set(), set()
    for beam, length in enumerate(scan.ranges.tolist()):
        if not (math.isfinite(length) and scan.range_min <= length <= scan.range_max):
            continue
        angle = scan.angle_min + beam * scan.angle_increment
        cosine = (1.0 - 2.0 * z * z) * math.cos(angle) - 2.0 * z * w * math.sin(angle)
        sine = 2.0 * z * w * math.cos(angle) + (1.0 - 2.0 * z * z) * math.sin(angle)
        reach = min(length, model.max_range)
        end_column = math.floor((x + reach * cosine) / model.resolution) - start[0]
        end_row = math.floor((y + reach * sine) / model.resolution) - start[1]
        passed.update(line(end_column, end_row))
        if length <= model.max_range:
            hits.add((end_column, end_row))
    found = dict.fromkeys(passed, PASSED) | dict.fromkeys(hits, HIT)
    margin = model.margin / model.resolution + 1e-9
    for column, row in passed:
        is_close = any(math.hypot(column - c, row - r) <= margin for c, r in hits)
        if not is_close and math.hypot(column, row) <= model.clear_range / model.resolution:
            found[column, row] = CLEAR
    return {(start[0] + column, start[1] + row): level for (column, row), level in found.items()}


def as_cells(grid: Grid) -> dict[tuple[int, int], int]:
    rows, columns = np.nonzero(grid.levels)
    return {
        (grid.bounds.column + column, grid.bounds.row + row): int(grid.levels[row, column])
        for row, column in zip(rows.tolist(), columns.tolist(), strict=True)
    }


@pytest.mark.parametrize("model", [MODEL, BeamModel(0.07, 8.0, 3.0, 0.25), BeamModel(0.5, 60.0, 20.0, 0.0)], ids=str)
def test_a_scan_tells_cell_for_cell_what_following_each_beam_does(model):
    scans = list(scans_of(corridor()))
    for scan in scans[::250]:
        assert as_cells(evidence(scan, model)) == evidence_by_brute_force(scan, model)


def made_up_scan(*ranges: float, x: float = 0.05, y: float = 0.05, angle_min: float = 0.0) -> Scan:
    return Scan((x, y, 0.0, 1.0), np.array(ranges, np.float32), angle_min, 0.1, 0.1, 50.0)


def test_one_beam_ends_in_a_hit_and_is_clear_up_to_the_margin_before_it():
    cells = as_cells(evidence(made_up_scan(1.0), MODEL))
    assert cells == {(k, 0): HIT if k == 10 else PASSED if k >= 7 else CLEAR for k in range(11)}


def test_a_beam_beyond_the_greatest_range_hits_nothing():
    cells = as_cells(evidence(made_up_scan(40.0), MODEL))
    assert cells == {(k, 0): CLEAR if k <= 60 else PASSED for k in range(151)}


@pytest.mark.parametrize("length", [math.inf, -math.inf, math.nan, 0.01, 50.5])
def test_a_beam_that_did_not_return_tells_nothing(length):
    assert evidence(made_up_scan(length), MODEL).known == 0
    assert evidence(made_up_scan(), MODEL).known == 0


def test_bounds_of_what_is_seen_hold_the_map_and_no_more():
    log = short_log()
    bounds = Bounds.around(*seen(log, MODEL.max_range), MODEL.resolution)
    whole = merged((evidence(scan, MODEL) for scan in scans_of(log)), MODEL.resolution)
    assert bounds == whole.trimmed().bounds == map_of(log, MODEL).bounds


def test_a_map_is_the_same_wherever_on_the_lattice_it_is_begun():
    log = short_log()
    away = Grid(MODEL.resolution, Bounds(-5000, 7000, 3, 2))
    for scan in scans_of(log):
        away.merge(evidence(scan, MODEL))
    assert away == map_of(log, MODEL)


# ------------------------------------------------------------------------------------------------- merging


def random_grid(generator: random.Random) -> Grid:
    columns, rows = generator.randint(1, 9), generator.randint(1, 9)
    bounds = Bounds(generator.randint(-9, 9), generator.randint(-9, 9), columns, rows)
    levels = np.array([generator.randint(0, 3) for _ in range(columns * rows)], np.uint8)
    return Grid(0.1, bounds, levels.reshape(rows, columns))


def test_merging_does_not_depend_on_order_grouping_or_repetition():
    generator = random.Random(1)
    for _ in range(300):
        a, b, c = (random_grid(generator) for _ in range(3))
        whole = merged([a, b, c], 0.1)
        assert all(merged(order, 0.1) == whole for order in itertools.permutations([a, b, c]))
        assert merged([merged([a, b], 0.1), c], 0.1) == merged([a, merged([b, c], 0.1)], 0.1) == whole
        assert merged([a, b, c, a, whole, b], 0.1) == whole
        assert whole.known >= max(a.known, b.known, c.known)


@pytest.mark.parametrize("parts", [2, 5, 23])
def test_maps_of_any_parts_merge_into_the_map_of_the_whole(parts):
    log = short_log()
    maps = [map_of(log.part(part, parts), MODEL) for part in range(1, parts + 1)]
    random.Random(parts).shuffle(maps)
    whole = map_of(log, MODEL)
    assert merged(maps, MODEL.resolution) == whole
    assert all(one != whole for one in maps)


def test_a_merge_changes_neither_grid_that_it_reads():
    a, b = random_grid(random.Random(2)), random_grid(random.Random(3))
    before = a.levels.copy(), b.levels.copy()
    merged([a, b], 0.1).levels[...] = CLEAR
    assert np.array_equal(a.levels, before[0])
    assert np.array_equal(b.levels, before[1])


def test_grids_of_two_resolutions_do_not_merge():
    with pytest.raises(ValueError, match=r"0\.05 m a cell does not fit on one of 0\.1 m"):
        Grid.empty(0.1).merge(Grid(0.05, Bounds(0, 0, 1, 1)))


def test_grids_differ_where_one_cell_does_and_not_for_unknown_margins():
    a = Grid(0.1, Bounds(2, 3, 2, 2), np.array([[HIT, 0], [0, CLEAR]], np.uint8))
    wider = Grid.empty(0.1)
    wider.grow(Bounds(-10, -10, 40, 40))
    wider.merge(a)
    assert wider == a
    assert wider.within(a.bounds).levels.tolist() == a.levels.tolist()
    wider.levels[0, 0] = PASSED
    assert wider != a
    moved = Grid(0.1, Bounds(3, 3, 2, 2), a.levels)
    assert moved != a


def test_levels_survive_as_occupancy_values_and_others_are_refused():
    levels = np.array([[UNKNOWN, PASSED], [HIT, CLEAR]], np.uint8)
    assert VALUES[levels].tolist() == [[-1, 10], [100, 0]]
    assert levels_of(VALUES[levels]).tolist() == levels.tolist()
    with pytest.raises(ValueError, match="an occupancy of 50 is none of"):
        levels_of(np.array([0, 50, 100], np.int8))


# ------------------------------------------------------------------------------------------------ pictures


@pytest.mark.parametrize("count", [1, 2, 7])
def test_pictures_of_any_number_of_robots_are_drawn(count, tmp_path):
    from matplotlib.image import imread

    from dimos_ros.demo.pictures import RobotMap, draw_fleet_map, draw_robot_maps

    parts = [short_log().part(part, count) for part in range(1, count + 1)]
    robots = [RobotMap(f"r{i}", map_of(part, MODEL), part.poses[:, :2]) for i, part in enumerate(parts)]
    for draw in (draw_fleet_map, draw_robot_maps):
        image = imread(draw(robots, tmp_path / "picture.png", "a title"))
        assert min(image.shape[:2]) > 500
        # A page with walls, floor and the robots' colours has more colours than an empty one.
        colours = np.round(image[:, :, :3] * 255).astype(np.int64) @ [1 << 16, 1 << 8, 1]
        assert len(np.unique(colours)) > 50
