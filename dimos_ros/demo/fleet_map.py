"""``FleetMap``: one map merged from the maps of all robots, and the demo's pictures and summary."""

from __future__ import annotations

import copy
import threading
import time
from pathlib import Path as FilePath
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from nav_msgs.msg import OccupancyGrid, Path
from std_msgs.msg import Header
from tf2_msgs.msg import TFMessage

from dimos_ros import In, Module, Out, QoS, param, rpc
from dimos_ros.demo import messages
from dimos_ros.demo.grid import Grid, merged
from dimos_ros.demo.mapper import MAPPING
from dimos_ros.demo.messages import nanoseconds
from dimos_ros.demo.report import Robot, progress_line, summary, title
from dimos_ros.demo.scan_replay import AT_ORIGIN

FROM_ALL = QoS(latched=True, depth=0)
"""The robots share a topic. In a bounded history, one robot's message could push out another's."""


class FleetMap(Module):
    """A merger of the maps of all robots.

    All maps arrive on one topic, each in a frame that is named after its robot. On TF, the module publishes these
    frames as equal to ``map``, because all poses of the log are in one frame.
    The module ends the fleet's run when every robot in ``robots`` has mapped all of its scans.
    """

    map: In[OccupancyGrid] = In(qos=FROM_ALL)
    path: In[Path] = In(qos=FROM_ALL)
    diagnostics: In[DiagnosticArray] = In(qos=FROM_ALL)
    fleet_map: Out[OccupancyGrid] = Out(qos="latched")

    robots: list[str] = param([], description="robots that the run waits for; if empty, it does not end by itself")
    output: str = param(".", description="folder for the pictures")
    stay: bool = param(False, description="keep the fleet running after everything is mapped")
    resolution: float = param(0.1, minimum=0.01, read_only=True, description="metres per cell, as in the robots' maps")
    publish_period: float = param(2.0, minimum=0.01, description="seconds between two fleet maps")
    progress_period: float = param(2.0, minimum=0.1, description="seconds between two log lines on progress")

    def on_configure(self, state: Any) -> None:
        self._lock = threading.Lock()  # calls and handlers run at the same time
        self._frames: set[str] = set()
        self._robots = {name: Robot(name) for name in self.robots}
        self._is_news = self._is_finished = False
        self._last_progress = ""
        self._tf_static = self.create_publisher(TFMessage, "tf_static", QoS(latched=True, depth=1).profile())

    def on_activate(self, state: Any) -> None:
        self._started = time.monotonic()
        self._timers = [
            self.create_timer(self.publish_period, self._publish),
            self.create_timer(self.progress_period, self._tell_progress),
            self.create_timer(0.1, self._finish_if_done),
        ]

    def on_deactivate(self, state: Any) -> None:
        for timer in self._timers:
            self.destroy_timer(timer)

    def on_cleanup(self, state: Any) -> None:
        self.destroy_publisher(self._tf_static)

    def handle_map(self, message: OccupancyGrid) -> None:
        """Replace a robot's map by its newest one."""
        grid = messages.grid_of(message)
        if grid.resolution != self.resolution:
            raise ValueError(
                f"{message.header.frame_id} has {grid.resolution:g} m a cell, the fleet map has {self.resolution:g}"
            )
        with self._lock:
            robot = self._robot(message.header, "map")
            robot.grid = grid
            self._is_news = True

    def handle_path(self, message: Path) -> None:
        """Note where a robot has been."""
        points = messages.points_of(message)
        with self._lock:
            self._robot(message.header, "path").path = points

    def handle_diagnostics(self, message: DiagnosticArray) -> None:
        """Note the progress of a mapper, and ignore the diagnostics of other modules."""
        for status in message.status:
            if not status.name.endswith(f": {MAPPING}"):
                continue
            values = {one.key: one.value for one in status.values}
            with self._lock:
                robot = self._robot(message.header, "diagnostics")
                robot.scans, robot.of = int(values["scans"]), int(values["scans in all"])
                robot.seconds = float(values["log seconds"])

    @rpc
    def draw(self) -> list[str]:
        """Draw the pictures of all maps so far, and return their paths."""
        robots, _ = self._merged()
        if not robots:
            raise RuntimeError("there is no map to draw yet: no robot has published one")
        return [str(file) for file in self._draw(robots)]

    def _robot(self, header: Header, kind: str) -> Robot:
        """Return the robot that a message's frame is named after, and note the message's stamp."""
        namespace = header.frame_id.rpartition("/")[0] or header.frame_id
        name = namespace.removeprefix(f"{self.get_namespace().strip('/')}/")
        robot = self._robots.setdefault(name, Robot(name))
        robot.stamps[kind] = nanoseconds(header.stamp)
        if header.frame_id not in self._frames:
            self._frames.add(header.frame_id)
            self._publish_frames()
        return robot

    def _publish_frames(self) -> None:
        """Publish on TF that the frames of all robots' maps equal the fleet's."""
        own = self.frame("map")
        header = Header(stamp=self.get_clock().now().to_msg(), frame_id=own)
        same = [(frame, AT_ORIGIN) for frame in sorted(self._frames - {own})]
        self._tf_static.publish(messages.transforms(header, *same))

    def _merged(self) -> tuple[list[Robot], Grid]:
        """Return copies of the robots that have a map, and their merged map."""
        with self._lock:
            robots = [copy.copy(robot) for robot in self._robots.values() if robot.grid is not None]
        return robots, merged([robot.grid for robot in robots if robot.grid is not None], self.resolution)

    def _publish(self) -> None:
        if self._is_news:
            self._is_news = False
            _, whole = self._merged()
            header = Header(stamp=self.get_clock().now().to_msg(), frame_id=self.frame("map"))
            self.fleet_map.publish(messages.occupancy_grid(whole, header))

    def _tell_progress(self) -> None:
        line = progress_line(list(self._robots.values()))
        if line != self._last_progress:
            self._last_progress = line
            self.get_logger().info(line)

    def _finish_if_done(self) -> None:
        robots = [self._robots[name] for name in self.robots if name in self._robots]
        if self._is_finished or not robots or len(robots) < len(self.robots):
            return
        if not all(robot.is_done for robot in robots):
            return
        self._is_finished = True
        seconds = time.monotonic() - self._started
        self._tell_progress()
        self._publish()
        mapped, whole = self._merged()
        text = summary(mapped, whole, seconds, self._draw_if_possible(mapped))
        if self.stay:
            self.get_logger().info(text)
        else:
            self.finish(text)

    def _draw_if_possible(self, robots: list[Robot]) -> list[FilePath]:
        """Draw the pictures; without matplotlib, log that there are none, since a map is of use without them."""
        try:
            return self._draw(robots)
        except ModuleNotFoundError as error:
            self.get_logger().warning(
                f"no pictures are drawn: {error} (Debian and Ubuntu: apt install python3-matplotlib)"
            )
            return []

    def _draw(self, robots: list[Robot]) -> list[FilePath]:
        # Imported here, because it takes longer to import than the rest of the demo.
        from dimos_ros.demo.pictures import RobotMap, draw_fleet_map, draw_robot_maps

        maps = [RobotMap(robot.name, robot.grid, robot.path) for robot in robots if robot.grid is not None]
        folder = FilePath(self.output).expanduser().absolute()
        folder.mkdir(parents=True, exist_ok=True)
        return [
            draw_fleet_map(maps, folder / "fleet_map.png", title(robots)),
            draw_robot_maps(maps, folder / "robot_maps.png", "What each robot mapped"),
        ]
