"""Conversions between the demo's data and ROS messages. Both directions keep each number to the last bit."""

from __future__ import annotations

import array

import numpy as np
from builtin_interfaces.msg import Time
from geometry_msgs.msg import Pose, PoseStamped, TransformStamped
from nav_msgs.msg import OccupancyGrid, Odometry, Path
from numpy.typing import NDArray
from sensor_msgs.msg import LaserScan
from std_msgs.msg import Header
from tf2_msgs.msg import TFMessage

from dimos_ros.demo.grid import Bounds, Grid, levels_of
from dimos_ros.demo.raycast import Scan

Position = tuple[float, float, float, float]
"""x and y in metres, z and w of the orientation's quaternion."""


def nanoseconds(stamp: Time) -> int:
    """Return a stamp in nanoseconds."""
    return int(stamp.sec) * 10**9 + int(stamp.nanosec)


def time_of(stamp: int) -> Time:
    """Make a stamp from nanoseconds."""
    return Time(sec=stamp // 10**9, nanosec=stamp % 10**9)


def laser_scan(scan: Scan, header: Header) -> LaserScan:
    """Make the message of a scan. An Odometry with the same stamp carries its pose."""
    return LaserScan(
        header=header,
        angle_min=scan.angle_min,
        angle_max=scan.angle_min + scan.angle_increment * (len(scan.ranges) - 1),
        angle_increment=scan.angle_increment,
        range_min=scan.range_min,
        range_max=scan.range_max,
        ranges=array.array("f", scan.ranges.tobytes()),
    )


def scan_of(message: LaserScan, position: Position) -> Scan:
    """Return the scan of a message. It was taken at ``position``."""
    return Scan(
        position,
        np.array(message.ranges, np.float32),
        message.angle_min,
        message.angle_increment,
        message.range_min,
        message.range_max,
    )


def pose(position: Position) -> Pose:
    """Make a pose in the plane."""
    message = Pose()
    message.position.x, message.position.y, message.orientation.z, message.orientation.w = position
    return message


def position_of(message: Pose) -> Position:
    """Return the position in the plane of a pose."""
    return message.position.x, message.position.y, message.orientation.z, message.orientation.w


def odometry(position: Position, header: Header, child_frame: str) -> Odometry:
    """Make the odometry of a position. The twist is zero, because it is not known."""
    message = Odometry(header=header, child_frame_id=child_frame)
    message.pose.pose = pose(position)
    return message


def transforms(header: Header, *children: tuple[str, Position]) -> TFMessage:
    """Make the transforms of frames that have these positions in the frame of ``header``."""
    found = []
    for child, (x, y, z, w) in children:
        one = TransformStamped(header=header, child_frame_id=child)
        one.transform.translation.x, one.transform.translation.y = x, y
        one.transform.rotation.z, one.transform.rotation.w = z, w
        found.append(one)
    return TFMessage(transforms=found)


def occupancy_grid(grid: Grid, header: Header) -> OccupancyGrid:
    """Make the map of a grid: -1 for unknown, else per cent."""
    message = OccupancyGrid(header=header)
    message.info.map_load_time = header.stamp
    message.info.resolution = grid.resolution
    message.info.width, message.info.height = grid.bounds.columns, grid.bounds.rows
    message.info.origin.position.x, message.info.origin.position.y = grid.origin
    message.data = array.array("b", grid.values.tobytes())
    return message


def grid_of(message: OccupancyGrid) -> Grid:
    """Return the grid of a map. Raises ValueError for a map that is off the lattice or has other values."""
    info = message.info
    # The message has a float32, so 0.1 arrives as 0.100000001.
    resolution = float(str(np.float32(info.resolution)))
    column, row = (origin / resolution for origin in (info.origin.position.x, info.origin.position.y))
    if max(abs(column - round(column)), abs(row - round(row))) > 1e-3:
        raise ValueError(f"a map's origin {column:g}, {row:g} is between the cells of the lattice")
    levels = levels_of(np.array(message.data, np.int8)).reshape(info.height, info.width)
    return Grid(resolution, Bounds(round(column), round(row), int(info.width), int(info.height)), levels)


def path(poses: list[PoseStamped], header: Header) -> Path:
    """Make the path of a robot from its poses, in the order of time."""
    return Path(header=header, poses=poses)


def points_of(message: Path) -> NDArray[np.float64]:
    """Return the positions of a path, [N, 2] in metres."""
    points = [(one.pose.position.x, one.pose.position.y) for one in message.poses]
    return np.array(points, np.float64).reshape(-1, 2)
