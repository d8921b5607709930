"""``ScanReplay``: a robot's laser and odometry, from its stretch of a real log."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from nav_msgs.msg import Odometry
from sensor_msgs.msg import LaserScan
from std_msgs.msg import Header
from tf2_msgs.msg import TFMessage

from dimos_ros import Module, Out, QoS, param, rpc
from dimos_ros.demo.messages import Position, laser_scan, odometry, time_of, transforms
from dimos_ros.demo.raycast import Scan, scans_of, seen
from dimos_ros.demo.scan_log import corridor

RETAINED = QoS(latched=True, depth=8192)
"""Scans and odometry are kept for late subscribers, so that a mapper that is restarted gets them all."""

PERIOD = 0.01
"""Seconds between two checks for scans that are due."""
BATCH = 20
"""Greatest number of scans that one check sends, so that other callbacks get their turn."""

AT_ORIGIN: Position = (0.0, 0.0, 0.0, 1.0)


@dataclass
class Extent:
    """The extent of a stretch of the log.

    ``min_x`` to ``max_y`` are the metres that its beams reach. ``scans`` is how many scans it has. ``seconds`` and
    ``metres`` are the time and the way from the first scan to the last.
    """

    min_x: float
    min_y: float
    max_x: float
    max_y: float
    scans: int
    seconds: float
    metres: float


class ScanReplay(Module):
    """A replay of a stretch of the corridor log: laser scans, odometry and TF, stamped by the node's clock.

    Scan and odometry of one moment have one stamp, which no other moment has. The frames are those of REP-105: map,
    odom, base_link and laser. The log's poses are corrected already, so map and odom agree.
    """

    scan: Out[LaserScan] = Out(qos=RETAINED)
    odom: Out[Odometry] = Out(qos=RETAINED)

    part: int = param(1, minimum=1, read_only=True, description="which stretch of the log this robot replays, from 1")
    parts: int = param(1, minimum=1, read_only=True, description="number of stretches that the log is split into")
    limit: int = param(0, minimum=0, read_only=True, description="how many scans of the log are used; 0 for all")
    rate: float = param(1.0, minimum=0.0, description="speed in times real time; 0 for as fast as possible")

    def on_configure(self, state: Any) -> None:
        self._log = corridor().first(self.limit).part(self.part, self.parts)
        if not 0 < len(self._log) <= RETAINED.depth:
            raise ValueError(f"part {self.part} of {self.parts} has {len(self._log)} scans, not 1 to {RETAINED.depth}")
        self._scans: list[Scan] = list(scans_of(self._log))
        self._due_at: list[float] = (self._log.seconds - self._log.seconds[0]).tolist()
        self._sent = 0
        self._log_time = 0.0
        self._last_stamp = 0
        self._tf = self.create_publisher(TFMessage, "tf", 100)
        self._tf_static = self.create_publisher(TFMessage, "tf_static", QoS(latched=True, depth=1).profile())

    def on_activate(self, state: Any) -> None:
        stamp = self._next_stamp()
        fixed = transforms(self._header("map", stamp), (self.frame("odom"), AT_ORIGIN))
        fixed.transforms += transforms(self._header("base_link", stamp), (self.frame("laser"), AT_ORIGIN)).transforms
        self._tf_static.publish(fixed)
        self._last_look = self.get_clock().now().nanoseconds
        self._timer = self.create_timer(PERIOD, self._send_due)

    def on_deactivate(self, state: Any) -> None:
        self.destroy_timer(self._timer)

    def on_cleanup(self, state: Any) -> None:
        self.destroy_publisher(self._tf)
        self.destroy_publisher(self._tf_static)

    @rpc
    def extent(self, max_range: float = 15.0) -> Extent:
        """Return the extent of the stretch. Its beams are followed up to max_range metres from the laser."""
        return Extent(*seen(self._log, max_range), len(self._log), self._log.duration, self._log.path_length)

    def _send_due(self) -> None:
        now = self.get_clock().now().nanoseconds
        self._log_time += max(0, now - self._last_look) / 1e9 * self.rate
        self._last_look = now
        for seconds in self._due_at[self._sent : self._sent + BATCH]:
            if self.rate == 0:
                self._log_time = seconds
            if seconds > self._log_time:
                return
            self._send(self._scans[self._sent])
            self._sent += 1

    def _send(self, scan: Scan) -> None:
        stamp = self._next_stamp()
        position = scan.pose
        self._tf.publish(transforms(self._header("odom", stamp), (self.frame("base_link"), position)))
        self.odom.publish(odometry(position, self._header("odom", stamp), self.frame("base_link")))
        self.scan.publish(laser_scan(scan, self._header("laser", stamp)))

    def _next_stamp(self) -> int:
        """Return the time now, or one later than the last stamp, because a simulated clock may stand still."""
        self._last_stamp = max(self.get_clock().now().nanoseconds, self._last_stamp + 1)
        return self._last_stamp

    def _header(self, frame: str, stamp: int) -> Header:
        return Header(stamp=time_of(stamp), frame_id=self.frame(frame))
