"""The demo in full: each scan is in the map of its own robot, and the fleet map has all scans."""

from __future__ import annotations

import functools
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs rclpy")

from diagnostic_msgs.msg import DiagnosticArray
from dimos_interfaces.srv import Call, RestartModule
from nav_msgs.msg import OccupancyGrid
from nav_msgs.msg import Path as RosPath
from rcl_interfaces.srv import SetParameters
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from sensor_msgs.msg import JointState
from tf2_msgs.msg import TFMessage

from dimos_ros import QoS
from dimos_ros.demo import messages
from dimos_ros.demo.grid import Grid, merged
from dimos_ros.demo.raycast import BeamModel, map_of
from dimos_ros.demo.scan_log import ScanLog, corridor

MODEL = BeamModel()
SECONDS = 120.0
"""Longer than a run takes on a busy machine."""


@functools.cache
def offline_map(limit: int = 0, part: int = 1, parts: int = 1, thinned: int = 1) -> Grid:
    return map_of(stretch(limit, part, parts).thinned(thinned), MODEL)


def stretch(limit: int, part: int, parts: int) -> ScanLog:
    return corridor().first(limit).part(part, parts)


class Listener:
    """A node outside the fleet that keeps each robot's newest message on each topic."""

    def __init__(self, context: Any, robots: list[str]) -> None:
        self.maps: dict[str, OccupancyGrid] = {}
        self.paths: dict[str, RosPath] = {}
        self.progress: dict[str, list[int]] = {}
        self.fleet_map: OccupancyGrid | None = None
        self.transforms: dict[str, list[Any]] = {}
        self.joint_states: list[JointState] = []
        self.robots = robots
        self.node = Node("listener", context=context)
        everything = QoS(latched=True, depth=0).profile()
        for kind, topic, callback in (
            (OccupancyGrid, "/map", lambda message: self.maps.update({message.header.frame_id: message})),
            (RosPath, "/path", lambda message: self.paths.update({message.header.frame_id: message})),
            (DiagnosticArray, "/diagnostics", self._take_progress),
            (OccupancyGrid, "/fleet_map", lambda message: setattr(self, "fleet_map", message)),
        ):
            self.node.create_subscription(kind, topic, callback, everything)
        for robot in robots:
            for topic, qos in (("tf", 1000), ("tf_static", everything)):
                heard = self.transforms.setdefault(f"{robot}/{topic}", [])
                self.node.create_subscription(
                    TFMessage, f"/{robot}/{topic}", lambda message, heard=heard: heard.extend(message.transforms), qos
                )
            self.node.create_subscription(JointState, f"/{robot}/joint_states", self.joint_states.append, 1000)
        self.restart = self.node.create_client(RestartModule, "/coordinator/restart_module")
        self._executor = SingleThreadedExecutor(context=context)
        self._executor.add_node(self.node)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._spin, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._stop.set()
        self._thread.join()
        self.node.destroy_node()
        self._executor.shutdown()

    def _spin(self) -> None:
        while not self._stop.is_set():
            self._executor.spin_once(timeout_sec=0.05)

    def mapped(self, robot: str) -> int:
        """Return the number of scans in the newest path."""
        path = self.paths.get(f"{robot}/map")
        return len(path.poses) if path else 0

    def is_of_one_moment(self, robot: str) -> bool:
        """Tell whether the newest map and the newest path have the same stamp."""
        map_and_path = self.maps.get(f"{robot}/map"), self.paths.get(f"{robot}/map")
        return None not in map_and_path and map_and_path[0].header.stamp == map_and_path[1].header.stamp

    def scans(self) -> int:
        """Return the number of scans that all mappers together have reported."""
        return sum(counts[-1] for counts in self.progress.values())

    def is_whole(self) -> bool:
        """Tell whether each robot's newest map and path have arrived, and the fleet map merges these maps."""
        if not all(map(self.is_of_one_moment, self.robots)):
            return False
        grids = [messages.grid_of(message) for message in self.maps.values()]
        return self.fleet_map is not None and messages.grid_of(self.fleet_map) == merged(grids, MODEL.resolution)

    def call(self, node: str, method: str, wait_for: Callable[..., Any], **arguments: Any) -> Any:
        """Call a module's method through its service, as a person does."""
        client = self.node.create_client(Call, f"{node}/call")
        assert client.wait_for_service(10.0)
        response = client.call_async(Call.Request(method=method, arguments=json.dumps(arguments)))
        wait_for(response.done, timeout=30)
        assert not response.result().error_message, response.result().error_message
        return json.loads(response.result().result)

    def set_rate(self, robot: str, rate: float, wait_for: Callable[..., Any]) -> None:
        """Set the parameter ``rate`` of a robot's replay, as ``ros2 param set`` does."""
        client = self.node.create_client(SetParameters, f"/{robot}/scan_replay/set_parameters")
        assert client.wait_for_service(10.0)
        wanted = SetParameters.Request(parameters=[Parameter("rate", value=rate).to_parameter_msg()])
        # At first, this node may only know the service of an instance that was replaced.
        responses = [client.call_async(wanted)]

        def answered() -> Any:
            if time.monotonic() > asked + len(responses):
                responses.append(client.call_async(wanted))
            return next((response for response in responses if response.done()), None)

        asked = time.monotonic()
        assert wait_for(answered, timeout=10).result().results[0].successful

    def _take_progress(self, message: DiagnosticArray) -> None:
        for status in message.status:
            done = next(int(one.value) for one in status.values if one.key == "scans")
            self.progress.setdefault(status.hardware_id, []).append(done)


@pytest.fixture
def listen(context: Any) -> Iterator[Callable[[list[str]], Listener]]:
    listeners: list[Listener] = []

    def start(robots: list[str]) -> Listener:
        listeners.append(Listener(context, robots))
        return listeners[-1]

    yield start
    for listener in listeners:
        listener.close()


@pytest.fixture
def run(domain: int, tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    processes: list[subprocess.Popen[str]] = []

    def start(*command: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", *command],
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        processes.append(process)
        return process

    yield start
    for process in processes:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def demo(**parameters: Any) -> list[str]:
    given = [f"{name}:={value}" for name, value in parameters.items()]
    return ["dimos_ros.demo.multi_robot", "--ros-args", *(word for one in given for word in ("-p", one))]


def output_of(process: subprocess.Popen[str]) -> str:
    output, _ = process.communicate(timeout=SECONDS)
    assert process.returncode == 0, output
    return output


def assert_every_scan_is_in_its_own_map(listener: Listener, robots: list[str], limit: int) -> None:
    for part, robot in enumerate(robots, start=1):
        log = stretch(limit, part, len(robots))
        expected = offline_map(limit, part, len(robots))
        heard = messages.grid_of(listener.maps[f"{robot}/map"])
        assert heard == expected, robot
        assert heard.bounds == expected.bounds, robot
        # These are the stretch's own poses in order: none is lost, doubled, or another robot's.
        assert np.array_equal(messages.points_of(listener.paths[f"{robot}/map"]), log.poses[:, :2]), robot
        assert listener.progress[robot][-1] == len(log), robot
    assert set(listener.maps) == {f"{robot}/map" for robot in robots}


def interrupted_output_of(process: subprocess.Popen[str]) -> str:
    os.kill(process.pid, signal.SIGINT)
    return output_of(process)


@pytest.mark.parametrize(("robots", "limit"), [("robot1", 1500), ("robot1 robot2", 0), ("5", 1500)])
def test_each_robots_map_and_the_fleets_are_cell_for_cell_those_made_offline(
    robots, limit, listen, run, wait_for, tmp_path
):
    names = [f"robot{number}" for number in range(1, 6)] if robots == "5" else robots.split()
    listener = listen(names)
    # The fleet stays up, because the listener may discover it late.
    parameters = {"arguments.rate": 0.0, "arguments.limit": limit, "arguments.stay": "true"}
    process = run(*demo(robots=f"'{robots}'", **parameters))
    count = limit or 3873
    wait_for(lambda: listener.scans() == count and listener.is_whole(), timeout=SECONDS)
    wait_for((tmp_path / "robot_maps.png").exists, timeout=SECONDS)
    output = interrupted_output_of(process)

    assert_every_scan_is_in_its_own_map(listener, names, limit)
    assert messages.grid_of(listener.fleet_map) == offline_map(limit)
    assert listener.fleet_map.header.frame_id == "map"
    assert f"{count:,} of {count:,} scans mapped by {len(names)} robot" in output
    for name in ("fleet_map.png", "robot_maps.png"):
        assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")
        assert str(tmp_path / name) in output


def test_a_mapper_restarted_halfway_gets_every_scan_and_the_other_robot_does_not_notice(
    listen, run, wait_for, tmp_path
):
    limit = 1200
    listener = listen(["robot1", "robot2"])
    parameters = {"arguments.rate": 50.0, "arguments.limit": limit, "arguments.stay": "true"}
    process = run(*demo(robots="2", **parameters))
    done = listener.progress
    wait_for(lambda: done.get("robot1", [0])[-1] > 100 and done.get("robot2", [0])[-1] > 0, timeout=SECONDS)
    listener.set_rate("robot1", 1e-9, wait_for)
    before = done["robot1"][-1]

    assert listener.restart.wait_for_service(10.0)
    listener.paths.pop("robot1/map")
    response = listener.restart.call_async(RestartModule.Request(node_namespace="robot1", class_name="Mapper"))
    wait_for(response.done, timeout=30)
    assert response.result().success, response.result().message
    # The replay stands still, so the new mapper has only the scans that the replay retained.
    wait_for(lambda: listener.mapped("robot1") >= before and listener.is_of_one_moment("robot1"), timeout=30)
    retained = stretch(limit, 1, 2).first(listener.mapped("robot1"))
    assert messages.grid_of(listener.maps["robot1/map"]) == map_of(retained, MODEL)
    assert len(retained) < limit // 2

    listener.set_rate("robot1", 0.0, wait_for)
    listener.set_rate("robot2", 0.0, wait_for)
    wait_for(lambda: listener.scans() == limit and listener.is_whole(), timeout=SECONDS)
    wait_for((tmp_path / "robot_maps.png").exists, timeout=SECONDS)
    output = interrupted_output_of(process)
    assert f"{limit:,} of {limit:,} scans mapped by 2 robots" in output
    assert_every_scan_is_in_its_own_map(listener, ["robot1", "robot2"], limit)
    assert messages.grid_of(listener.fleet_map) == offline_map(limit)
    assert done["robot2"] == sorted(done["robot2"])


@pytest.mark.parametrize(("namespace", "class_name"), [("robot1", "ScanReplay"), ("/", "FleetMap")])
def test_maps_are_exact_although_the_replay_or_the_fleet_map_is_restarted(
    namespace, class_name, listen, run, wait_for, tmp_path
):
    limit = 800
    listener = listen(["robot1", "robot2"])
    parameters = {"arguments.rate": 50.0, "arguments.limit": limit, "arguments.stay": "true"}
    process = run(*demo(robots="2", **parameters))
    wait_for(lambda: listener.mapped("robot1") > 50 and listener.mapped("robot2") > 50, timeout=SECONDS)
    assert listener.restart.wait_for_service(10.0)
    response = listener.restart.call_async(RestartModule.Request(node_namespace=namespace, class_name=class_name))
    wait_for(response.done, timeout=30)
    assert response.result().success, response.result().message
    for robot in listener.robots:
        listener.set_rate(robot, 0.0, wait_for)
    wait_for(lambda: listener.scans() == limit and listener.is_whole(), timeout=SECONDS)
    wait_for((tmp_path / "robot_maps.png").exists, timeout=SECONDS)
    # A scan that is replayed again counts only once.
    assert f"{limit} of {limit} scans mapped by 2 robots" in interrupted_output_of(process)
    assert_every_scan_is_in_its_own_map(listener, listener.robots, limit)


def test_a_fleet_of_two_embodiments_maps_with_the_lasers_that_it_has(listen, run, wait_for, project_path, tmp_path):
    config = project_path / "config" / "mixed_fleet.yaml"
    quick = tmp_path / "quick.yaml"
    quick.write_text(
        "/*/scan_replay: {ros__parameters: {rate: 0.0, limit: 1500}}\n"
        "/fleet_map: {ros__parameters: {output: pictures, stay: true}}\n"
    )
    listener = listen(["scout1", "scout2", "rover1"])
    parameters = ["-p", f"config:={config}", "-p", f"params_file:={quick}"]
    process = run("dimos_ros.coordinator.main", "--ros-args", *parameters)
    wait_for(lambda: listener.scans() == 1500 and listener.is_whole() and listener.joint_states, timeout=SECONDS)
    wait_for((tmp_path / "pictures" / "robot_maps.png").exists, timeout=SECONDS)
    output = interrupted_output_of(process)
    expected = {
        "scout1/map": offline_map(1500, 1, 3),
        "scout2/map": offline_map(1500, 2, 3),
        "rover1/map": offline_map(1500, 3, 3, thinned=3),
    }
    assert {frame: messages.grid_of(message) for frame, message in listener.maps.items()} == expected
    assert messages.grid_of(listener.fleet_map) == merged(expected.values(), MODEL.resolution)
    assert expected["rover1/map"] != offline_map(1500, 3, 3)
    assert "1,500 of 1,500 scans mapped by 3 robots" in output
    assert (tmp_path / "pictures" / "fleet_map.png").exists()
    assert listener.joint_states[-1].name == ["lift", "gripper"]


def test_a_person_can_ask_for_pictures_extent_and_a_new_map(listen, run, wait_for, tmp_path):
    listener = listen(["robot1"])
    parameters = {"arguments.rate": 100.0, "arguments.limit": 900, "arguments.stay": "true"}
    process = run(*demo(robots="robot1", **parameters))
    wait_for(lambda: listener.mapped("robot1") > 20, timeout=SECONDS)

    drawn = listener.call("/fleet_map", "draw", wait_for)
    assert [Path(file) for file in drawn] == [tmp_path / "fleet_map.png", tmp_path / "robot_maps.png"]
    assert all(Path(file).stat().st_size > 10_000 for file in drawn)
    extent = listener.call("/robot1/scan_replay", "extent", wait_for, max_range=0.0)
    log = stretch(900, 1, 1)
    assert [extent["min_x"], extent["max_y"]] == [log.poses[:, 0].min(), log.poses[:, 1].max()]
    assert (extent["scans"], extent["seconds"]) == (900, log.duration)
    listener.set_rate("robot1", 0.0, wait_for)
    wait_for(lambda: listener.mapped("robot1") == 900, timeout=SECONDS)
    assert listener.call("/robot1/mapper", "clear", wait_for) == 900
    wait_for(lambda: listener.mapped("robot1") == 0, timeout=10, what="another map")
    interrupted_output_of(process)


def test_without_matplotlib_the_demo_says_so_once_and_maps_all_the_same(run, monkeypatch, tmp_path):
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    (hidden / "matplotlib.py").write_text("raise ModuleNotFoundError(\"No module named 'matplotlib'\")\n")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(hidden), os.environ.get("PYTHONPATH", "")]))
    output = output_of(run(*demo(robots="1", **{"arguments.rate": 0.0, "arguments.limit": 200})))
    assert "200 of 200 scans mapped by 1 robot" in output
    assert output.count("no pictures are drawn: No module named 'matplotlib'") == 1
    assert "Traceback" not in output
    assert "picture: " not in output
    assert not list(tmp_path.glob("*.png"))


def test_each_robot_has_a_tf_tree_of_its_own_and_ctrl_c_ends_the_demo_in_order(listen, run, wait_for):
    robots = ["robot1", "robot2"]
    listener = listen(robots)
    process = run(*demo(robots="2", **{"arguments.rate": 10.0}))
    wait_for(lambda: len(listener.maps) == 2, timeout=SECONDS)
    for part, robot in enumerate(robots, start=1):
        fixed, moving = listener.transforms[f"{robot}/tf_static"], listener.transforms[f"{robot}/tf"]
        wait_for(lambda fixed=fixed, moving=moving: len(fixed) == 3 and len(moving) > 20, timeout=SECONDS)
        expected = {("map", "odom"), ("base_link", "laser"), ("map", f"{robot}/map")}
        assert {(one.header.frame_id, one.child_frame_id) for one in fixed} == expected
        # A robot's tree has only its own positions.
        own = {tuple(point) for point in stretch(0, part, 2).poses[:, :2].tolist()}
        for one in list(moving):
            assert (one.header.frame_id, one.child_frame_id) == ("odom", "base_link")
            assert (one.transform.translation.x, one.transform.translation.y) in own
    started = time.monotonic()
    interrupted_output_of(process)
    assert time.monotonic() - started < 15
