"""``Mapper``: an occupancy grid from laser scans and their poses."""

from __future__ import annotations

import bisect
import threading
import time
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from geometry_msgs.msg import PoseStamped
from nav_msgs.msg import OccupancyGrid, Odometry, Path
from sensor_msgs.msg import LaserScan
from std_msgs.msg import Header
from tf2_msgs.msg import TFMessage

from dimos_ros import CallError, In, Module, Out, QoS, param, rpc
from dimos_ros.demo import messages
from dimos_ros.demo.grid import Bounds, Grid
from dimos_ros.demo.messages import Position, nanoseconds
from dimos_ros.demo.raycast import BeamModel, evidence
from dimos_ros.demo.scan_replay import AT_ORIGIN, RETAINED, Extent, ScanReplay

MAPPING = "mapping"
"""Last word of the name of the diagnostic status with a mapper's progress."""


class Mapper(Module):
    """A builder of one robot's map, from all of its scans and the odometry with the same stamps.

    Scan and odometry may arrive late and in any order, because each waits for the other. They may also arrive again
    with another stamp. A scan that is in the map already changes nothing, and does not count again.

    Map, path and diagnostics are of one moment and have one stamp. They may leave the robot's namespace, so their frame
    is named after it, such as robot1/map. On the robot's own TF, this frame equals ``map``.
    """

    scan: In[LaserScan] = In(qos=RETAINED)
    odom: In[Odometry] = In(qos=RETAINED)
    map: Out[OccupancyGrid] = Out(qos="latched")
    path: Out[Path] = Out(qos="latched")
    diagnostics: Out[DiagnosticArray] = Out(qos="latched")

    resolution: float = param(0.1, minimum=0.01, read_only=True, description="metres per cell")
    max_range: float = param(15.0, minimum=0.1, read_only=True, description="metres up to which a beam is followed")
    clear_range: float = param(
        6.0, minimum=0.0, read_only=True, description="metres from the laser to the last clear cell"
    )
    margin: float = param(0.3, minimum=0.0, read_only=True, description="metres between a beam's end and a clear cell")
    map_frame: str = param("", read_only=True, description="frame of the map; empty for NAMESPACE/map")
    publish_period: float = param(1.0, minimum=0.01, description="seconds between two maps while scans arrive")

    replay: ScanReplay | None

    def on_configure(self, state: Any) -> None:
        self._lock = threading.Lock()  # calls and handlers run at the same time
        self._model = BeamModel(self.resolution, self.max_range, self.clear_range, self.margin)
        self._grid = Grid.empty(self.resolution)
        self._positions: dict[int, Position] = {}
        self._scans: dict[int, LaserScan] = {}
        self._taken: set[tuple[Position, bytes]] = set()
        self._poses: list[PoseStamped] = []
        self._extent: Extent | None = None
        self._last_looked = 0.0
        self._is_news = True
        self._tf_static = self.create_publisher(TFMessage, "tf_static", QoS(latched=True, depth=1).profile())

    def on_activate(self, state: Any) -> None:
        self._name_frame()
        self._ask_extent()
        self._timer = self.create_timer(0.1, self._publish_news)

    def on_deactivate(self, state: Any) -> None:
        self.destroy_timer(self._timer)

    def on_cleanup(self, state: Any) -> None:
        self.destroy_publisher(self._tf_static)

    def handle_odom(self, odom: Odometry) -> None:
        """Note the position, and map the scan of the same stamp if it has arrived."""
        stamp, position = nanoseconds(odom.header.stamp), messages.position_of(odom.pose.pose)
        self._positions[stamp] = position
        scan = self._scans.pop(stamp, None)
        if scan is not None:
            self._add(scan, position)

    def handle_scan(self, scan: LaserScan) -> None:
        """Map the scan, or keep it until the position of the same stamp arrives."""
        stamp = nanoseconds(scan.header.stamp)
        position = self._positions.get(stamp)
        if position is None:
            self._scans[stamp] = scan
        else:
            self._add(scan, position)

    @rpc
    def clear(self) -> int:
        """Forget the map, and return how many scans were in it."""
        with self._lock:
            count = len(self._poses)
            self._grid = Grid(self.resolution, self._grid.bounds)
            self._poses = []
            self._is_news = True
        return count

    def _add(self, scan: LaserScan, position: Position) -> None:
        learned = evidence(messages.scan_of(scan, position), self._model)
        identity = (position, scan.ranges.tobytes())
        with self._lock:
            self._grid.merge(learned)
            if identity in self._taken:
                return
            self._taken.add(identity)
            header = Header(stamp=scan.header.stamp, frame_id=self._frame)
            bisect.insort(self._poses, PoseStamped(header=header, pose=messages.pose(position)), key=_stamp_of)
            self._is_news = True

    def _ask_extent(self) -> None:
        """Ask the replay for the size of the map and the number of scans, unless they are known already."""
        if self._extent is not None or self.replay is None:
            return
        try:
            extent: Extent = self.replay.extent(max_range=self.max_range)
        except CallError as error:
            # The map grows as needed, and this method asks for the number of scans again.
            self.get_logger().warning(f"the replay has not told the extent of its log yet: {error}")
            return
        self._extent = extent
        self._is_news = True
        bounds = Bounds.around(extent.min_x, extent.min_y, extent.max_x, extent.max_y, self.resolution)
        with self._lock:
            self._grid.grow(bounds)

    def _publish_news(self) -> None:
        is_due = time.monotonic() - self._last_looked > self.publish_period
        if is_due:
            self._ask_extent()
            self._last_looked = time.monotonic()
        is_done = self._extent is not None and len(self._taken) >= self._extent.scans
        if not self._is_news or not (is_due or is_done):
            return
        header = Header(stamp=self.get_clock().now().to_msg(), frame_id=self._frame)
        with self._lock:
            self._is_news = False
            grid = messages.occupancy_grid(self._grid, header)
            path = messages.path(list(self._poses), header)
        self.map.publish(grid)
        self.path.publish(path)
        self.diagnostics.publish(self._progress(header))

    def _progress(self, header: Header) -> DiagnosticArray:
        robot, done = self._frame.rpartition("/")[0], len(self._taken)
        of = self._extent.scans if self._extent else 0
        values = {"scans": done, "scans in all": of, "log seconds": self._extent.seconds if self._extent else 0.0}
        status = DiagnosticStatus(
            level=DiagnosticStatus.OK,
            name=f"{self.get_fully_qualified_name().strip('/')}: {MAPPING}",
            message=f"{done} of {of or 'an unknown number of'} scans",
            hardware_id=robot,
            values=[KeyValue(key=key, value=str(value)) for key, value in values.items()],
        )
        return DiagnosticArray(header=header, status=[status])

    def _name_frame(self) -> None:
        own = self.frame("map")
        below_namespace = own if self.frame_prefix else f"{self.get_namespace()}/{own}".strip("/")
        self._frame = self.map_frame or below_namespace
        if self._frame != own:
            header = Header(stamp=self.get_clock().now().to_msg(), frame_id=own)
            self._tf_static.publish(messages.transforms(header, (self._frame, AT_ORIGIN)))


def _stamp_of(pose: PoseStamped) -> int:
    return nanoseconds(pose.header.stamp)
