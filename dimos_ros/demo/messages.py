"""The demo's data as ROS messages, and back. What goes there and back is the same to the last bit."""

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
    """A stamp as one number."""
    return int(stamp.sec) * 10**9 + int(stamp.nanosec)


def time_of(stamp: int) -> Time:
    """A stamp from nanoseconds."""
    return Time(sec=stamp // 10**9, nanosec=stamp % 10**9)


def laser_scan(scan: Scan, header: Header) -> LaserScan:
    """A scan without its pose, which goes in an Odometry of the same stamp."""
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
    """The scan of a message that was taken at ``position``."""
    return Scan(
        position,
        np.array(message.ranges, np.float32),
        message.angle_min,
        message.angle_increment,
        message.range_min,
        message.range_max,
    )


def pose(position: Position) -> Pose:
    """A pose in the plane."""
    message = Pose()
    message.position.x, message.position.y, message.orientation.z, message.orientation.w = position
    return message


def position_of(message: Pose) -> Position:
    """What a pose says of the plane."""
    return message.position.x, message.position.y, message.orientation.z, message.orientation.w


def odometry(position: Position, header: Header, child_frame: str) -> Odometry:
    """A pose as odometry; the twist is not known, and zero."""
    message = Odometry(header=header, child_frame_id=child_frame)
    message.pose.pose = pose(position)
    return message


def transforms(header: Header, *children: tuple[str, Position]) -> TFMessage:
    """Where frames are in the frame of ``header``."""
    found = []
    for child, (x, y, z, w) in children:
        one = TransformStamped(header=header, child_frame_id=child)
        one.transform.translation.x, one.transform.translation.y = x, y
        one.transform.rotation.z, one.transform.rotation.w = z, w
        found.append(one)
    return TFMessage(transforms=found)


def occupancy_grid(grid: Grid, header: Header) -> OccupancyGrid:
    """A grid as a map: -1 unknown, else per cent."""
    message = OccupancyGrid(header=header)
    message.info.map_load_time = header.stamp
    message.info.resolution = grid.resolution
    message.info.width, message.info.height = grid.bounds.columns, grid.bounds.rows
    message.info.origin.position.x, message.info.origin.position.y = grid.origin
    message.data = array.array("b", grid.values.tobytes())
    return message


def grid_of(message: OccupancyGrid) -> Grid:
    """The grid of a map. Raises ValueError for one that is not on the lattice or has other values."""
    info = message.info
    # Resolution is a float32 in the message: 0.1 comes out as 0.100000001.
    resolution = float(str(np.float32(info.resolution)))
    column, row = (origin / resolution for origin in (info.origin.position.x, info.origin.position.y))
    if max(abs(column - round(column)), abs(row - round(row))) > 1e-3:
        raise ValueError(f"a map's origin {column:g}, {row:g} is between the cells of the lattice")
    levels = levels_of(np.array(message.data, np.int8)).reshape(info.height, info.width)
    return Grid(resolution, Bounds(round(column), round(row), int(info.width), int(info.height)), levels)


def path(poses: list[PoseStamped], header: Header) -> Path:
    """Where a robot was, in the order of time."""
    return Path(header=header, poses=poses)


def points_of(message: Path) -> NDArray[np.float64]:
    """The positions of a path: [N, 2] in metres."""
    points = [(one.pose.position.x, one.pose.position.y) for one in message.poses]
    return np.array(points, np.float64).reshape(-1, 2)
