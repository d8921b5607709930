"""The transport of started processes: images arrive, processes find each other, and nothing is left over or leaks."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import environment_with, process_exists

from dimos_ros.processes.malloc import keep_freed_memory
from dimos_ros.transport.leftovers import remove_segments, segments_of
from dimos_ros.transport.message_size import carries_bytes
from dimos_ros.transport.profiles import (
    IMAGE_SEGMENT,
    SHARED_MEMORY,
    USERS_CHOICE,
    introduced_transport,
    participants_here,
    variables,
)

PLENTY = 64 * IMAGE_SEGMENT
LOCAL = {"ROS_DISTRO": "jazzy", "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST"}


def profile(environment: dict[str, str], sends_images: bool, free: int = PLENTY, has_profile: bool = False) -> str:
    found = variables(environment, sends_images, free, 0, has_profile)
    return next((Path(path).name for name, path in found.items() if name.endswith("_FILE")), "")


# ---------------------------------------------------------------------------------------------------- which profile


def test_only_a_process_that_sends_images_takes_memory_for_them() -> None:
    assert profile(LOCAL, True) == "images.xml"
    assert profile(LOCAL, False) == "peers.xml"
    assert profile({"ROS_DISTRO": "jazzy", "ROS_LOCALHOST_ONLY": "1"}, False) == "peers.xml"
    assert profile({"ROS_DISTRO": "jazzy"}, True) == "images.xml"
    assert profile({"ROS_DISTRO": "jazzy"}, False) == "network.xml"


def test_too_little_shared_memory_means_the_default() -> None:
    assert profile(LOCAL, True, free=4 * IMAGE_SEGMENT) == "peers.xml"
    assert profile({}, True, free=0) == "network.xml"


def test_only_a_large_fleet_announces_itself_to_all_ports() -> None:
    assert variables(LOCAL, False, PLENTY, processes=10)["DIMOS_ROS_PEERS"] == "32"
    assert variables(LOCAL, False, PLENTY, processes=33)["DIMOS_ROS_PEERS"] == "120"


def test_participants_are_counted_by_their_ports(domain: int) -> None:
    assert participants_here(str(domain)) == 0
    with contextlib.ExitStack() as stack:
        for port in (7410 + 250 * domain, 7412 + 250 * domain, 7413 + 250 * domain):
            one = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            one.bind(("127.0.0.1", port))
        assert participants_here(str(domain)) == 2


def test_containers_are_introduced_if_there_is_an_introducer_and_discovery_is_local() -> None:
    found = variables(LOCAL, False, PLENTY, introducer=7472)
    assert found["FASTRTPS_DEFAULT_PROFILES_FILE"].endswith("fleet.xml")
    assert found["DIMOS_ROS_INTRODUCER_PORT"] == "7472"
    assert int(found["DIMOS_ROS_SEGMENT_SIZE"]) < int(
        variables(LOCAL, True, PLENTY, introducer=7472)["DIMOS_ROS_SEGMENT_SIZE"]
    )
    for more in ({"ROS_STATIC_PEERS": "10.0.0.1"}, {"ROS_LOCALHOST_ONLY": "1"}):
        other = {**LOCAL, **more}
        assert profile(other, False) == "peers.xml"
        assert variables(other, False, PLENTY, introducer=7472) == variables(other, False, PLENTY)
    assert variables({}, False, PLENTY, introducer=7472) == variables({}, False, PLENTY)


def test_the_range_of_discovery_is_restored_to_the_users(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*USERS_CHOICE, "ROS_LOCALHOST_ONLY", "ROS_STATIC_PEERS", "RMW_IMPLEMENTATION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    before = dict(os.environ)
    with introduced_transport(False, 2, 7472):
        assert os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] == "SYSTEM_DEFAULT"
        added = set(os.environ) - set(before)
    assert {name: value for name, value in os.environ.items() if name not in added} == before
    for name in added:
        del os.environ[name]


@pytest.mark.parametrize(
    "users",
    [
        {"FASTDDS_DEFAULT_PROFILES_FILE": "/etc/mine.xml"},
        {"FASTRTPS_DEFAULT_PROFILES_FILE": "/etc/mine.xml"},
        {"FASTDDS_BUILTIN_TRANSPORTS": "UDPv4"},
        {"ROS_DISCOVERY_SERVER": "10.0.0.1:11811"},
        {"RMW_IMPLEMENTATION": "rmw_cyclonedds_cpp"},
    ],
)
def test_a_users_set_up_wins(users: dict[str, str]) -> None:
    assert variables({**LOCAL, **users}, True, PLENTY) == {}
    assert variables({**LOCAL, **users}, False, PLENTY) == {}
    assert variables({**LOCAL, **users}, False, PLENTY, introducer=7472) == {}


def test_a_users_file_in_the_working_directory_wins() -> None:
    assert variables(LOCAL, True, PLENTY, has_profile=True) == {}


def test_the_variable_has_the_name_that_the_distribution_knows() -> None:
    assert "FASTRTPS_DEFAULT_PROFILES_FILE" in variables(LOCAL, True, PLENTY)
    assert "FASTDDS_DEFAULT_PROFILES_FILE" in variables({**LOCAL, "ROS_DISTRO": "kilted"}, True, PLENTY)
    assert list(variables({**LOCAL, "RMW_IMPLEMENTATION": "rmw_fastrtps_cpp"}, True, PLENTY))


def test_images_are_distinguished_from_other_messages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    definitions = {
        "sensor_msgs/msg/Image": "# pixels\n\nuint32 height\nuint8[] data   # rows\n",
        "sensor_msgs/msg/LaserScan": "float32[] ranges\nuint8[16] id\nuint8[<=8] few\n",
        "own_msgs/msg/Pair": "string name\nsensor_msgs/Image[2] images\n",
        "own_msgs/msg/Pairs": "Pair[] pairs\n",
        "own_msgs/msg/Loop": "Loop[] more\n",
        "visualization_msgs/msg/Marker": "sensor_msgs/Image texture\n",
    }
    for name, text in definitions.items():
        path = tmp_path / "share" / f"{name}.msg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.setenv("AMENT_PREFIX_PATH", f"/nowhere{os.pathsep}{tmp_path}")
    large = {name for name in [*definitions, "own_msgs/msg/Missing"] if carries_bytes(name)}
    assert large == {"sensor_msgs/msg/Image", "own_msgs/msg/Pair", "own_msgs/msg/Pairs"}


def test_images_are_distinguished_from_other_messages_of_this_ros() -> None:
    pytest.importorskip("rclpy", reason="needs ROS messages")
    assert all(carries_bytes(f"sensor_msgs/msg/{name}") for name in ("Image", "CompressedImage", "PointCloud2"))
    others = ("sensor_msgs/msg/LaserScan", "nav_msgs/msg/OccupancyGrid", "visualization_msgs/msg/MarkerArray")
    assert not any(carries_bytes(name) for name in others)


def test_a_users_settings_of_the_heap_win() -> None:
    assert not keep_freed_memory({"MALLOC_ARENA_MAX": "1"})
    assert not keep_freed_memory({"GLIBC_TUNABLES": "glibc.malloc.trim_threshold=1"})


# ---------------------------------------------------------------------------------------------- what the profiles do

NODE = """
    import os, sys, rclpy
    from rclpy.node import Node
    from dimos_ros.transport.profiles import introduced_transport, use_transport
    if sys.argv[1] == "introduced":
        with introduced_transport(False, 2, int(os.environ["INTRODUCER"])):
            rclpy.init()
    else:
        if sys.argv[1] != "default":
            use_transport(sys.argv[1] == "images")
        rclpy.init()
    node = Node("node", enable_rosout=False, start_parameter_services=False)
"""
HOLD = (
    NODE
    + """
    print("ready", flush=True)
    sys.stdin.read()
"""
)


class Started:
    """A process of a test, read line by line."""

    def __init__(self, script: str, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(script), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment_with(),
        )
        self.pid = self.process.pid

    def line(self) -> str:
        assert self.process.stdout is not None
        # Fast DDS writes its errors to the standard output, in colour.
        return next((line.strip() for line in self.process.stdout if not line.startswith("\x1b")), "")

    def end(self) -> None:
        """Ask the process to end by itself, and wait for its end."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(30)


@pytest.fixture
def start(domain: int) -> Iterator[Callable[..., Started]]:
    """Start processes on a domain of the test's own; end those that are left."""
    pytest.importorskip("rclpy", reason="needs rclpy")
    started: list[Started] = []

    def one(script: str, *arguments: str) -> Started:
        started.append(Started(script, *arguments))
        return started[-1]

    yield one
    for each in started:
        segments = segments_of(each.pid)
        each.process.kill()
        each.process.wait()
        for stream in (each.process.stdin, each.process.stdout):
            stream.close()
        remove_segments(segments)


def sizes(segments: Any) -> list[int]:
    return sorted((SHARED_MEMORY / name).stat().st_size >> 20 for name in segments)


def test_the_profile_is_understood_and_gives_the_memory(start: Callable[..., Started]) -> None:
    held = {kind: start(HOLD, kind) for kind in ("default", "peers", "images")}
    assert [each.line() for each in held.values()] == ["ready"] * 3
    assert max(sizes(segments_of(held["default"].pid))) == 0
    assert max(sizes(segments_of(held["peers"].pid))) == 0
    assert max(sizes(segments_of(held["images"].pid))) >= IMAGE_SEGMENT >> 20


def test_what_a_killed_process_leaves_is_removed_and_what_lives_stays(start: Callable[..., Started]) -> None:
    dies, lives = start(HOLD, "images"), start(HOLD, "images")
    assert (dies.line(), lives.line()) == ("ready", "ready")
    of_dead, of_living = segments_of(dies.pid), segments_of(lives.pid)
    assert of_dead
    assert of_living.isdisjoint(of_dead)
    os.kill(dies.pid, signal.SIGKILL)
    dies.process.wait(30)
    assert sorted(remove_segments([*of_dead, *of_living])) == sorted(of_dead)
    names = {path.name for path in SHARED_MEMORY.iterdir()}
    assert not [name for name in names if name.removesuffix("_el") in of_dead]
    assert of_living <= names


def test_a_process_that_ends_by_itself_leaves_nothing(start: Callable[..., Started]) -> None:
    held = start(HOLD + "    node.destroy_node(); rclpy.shutdown()\n", "images")
    assert held.line() == "ready"
    segments = segments_of(held.pid)
    held.end()
    assert remove_segments(segments) == []


SUBSCRIBE = (
    NODE
    + """
    from rclpy.qos import QoSProfile, ReliabilityPolicy
    from sensor_msgs.msg import Image
    from std_msgs.msg import Int32
    received = node.create_publisher(Int32, "received", 10)
    qos = QoSProfile(depth=10, reliability=ReliabilityPolicy.BEST_EFFORT)
    node.create_subscription(Image, "image", lambda m: received.publish(Int32(data=m.header.stamp.sec)), qos)
    print("ready", flush=True)
    while True:
        rclpy.spin_once(node)
"""
)
PUBLISH = (
    NODE
    + """
    import array, time
    from rclpy.qos import QoSProfile, ReliabilityPolicy
    from sensor_msgs.msg import Image
    from std_msgs.msg import Int32
    arrived = set()
    node.create_subscription(Int32, "received", lambda m: arrived.add(m.data), 10)
    qos = QoSProfile(depth=10, reliability=ReliabilityPolicy.BEST_EFFORT)
    publisher = node.create_publisher(Image, "image", qos)
    image = Image(data=array.array("B", bytes(int(sys.argv[2]))))

    def spin(condition, seconds):
        deadline = time.monotonic() + seconds
        while not condition() and time.monotonic() < deadline:
            rclpy.spin_once(node, timeout_sec=0.05)

    small = Image()
    small.header.stamp.sec = -1
    while -1 not in arrived:  # until both ways are open
        publisher.publish(small)
        spin(lambda: -1 in arrived, 0.2)
    for number in range(5):
        image.header.stamp.sec = number
        publisher.publish(image)
        # Send the next one when this one has arrived or has had time to, so that the machine's speed does not matter.
        spin(lambda: number in arrived, float(sys.argv[3]))
    print(len(arrived) - 1, flush=True)
"""
)
FULL_HD = 1920 * 1080 * 3


def test_best_effort_images_arrive_that_are_lost_by_default(start: Callable[..., Started]) -> None:
    arrived = {}
    for kind, patience in (("default", 1.0), ("images", 30.0)):
        subscriber = start(SUBSCRIBE, kind)
        assert subscriber.line() == "ready"
        publisher = start(PUBLISH, kind, str(FULL_HD), str(patience))
        arrived[kind] = int(publisher.line())
        subscriber.process.kill()
    assert arrived["images"] == 5 > arrived["default"], arrived


CROWD = """
    import json, os, sys, time, rclpy
    from rclpy.node import Node
    from dimos_ros.transport.leftovers import remove_segments, segments_of
    from dimos_ros.transport.profiles import use_transport
    count = int(sys.argv[1])
    answers, tell = os.pipe()
    hold, let_go = os.pipe()
    children = []
    for number in range(count):
        children.append(os.fork())
        if children[-1] == 0:
            os.close(let_go)
            use_transport(False, count)
            rclpy.init()
            node = Node(f"of_crowd_{number}", enable_rosout=False, start_parameter_services=False)
            deadline = time.monotonic() + 40
            while time.monotonic() < deadline:
                seen = {name for name in node.get_node_names() if name.startswith("of_crowd_")}
                if len(seen) == count:
                    break
                time.sleep(0.1)
            os.write(tell, (json.dumps(len(seen)) + "\\n").encode())
            os.read(hold, 1)
            os._exit(0)  # if all leave at once, Fast DDS 2.14 may wait for itself for ever
    os.close(hold)
    with os.fdopen(answers) as lines:
        print(json.dumps([json.loads(lines.readline()) for _ in range(count)]), flush=True)
    segments = [name for child in children for name in segments_of(child)]
    os.close(let_go)
    for _ in range(count):
        os.wait()
    remove_segments(segments)
"""


def test_forty_processes_of_one_machine_find_each_other(start: Callable[..., Started]) -> None:
    crowd = start(CROWD, "40")
    # By default the processes from the 33rd on miss each other. On a busy machine Fast DDS may miss one for ever in any
    # case, and one process may miss many.
    seen = json.loads(crowd.line())
    assert len([number for number in seen if number >= 38]) >= 38, seen
    assert crowd.process.wait(60) == 0


# A network namespace with a second interface, and a capture of all packets on that interface while two processes talk.
OUTSIDE = """
    import os, socket, subprocess, sys
    from dimos_ros.transport.introducer import Introducer
    for command in (
        "mount -t tmpfs tmpfs /dev/shm", "ip link set lo up", "ip link add inside type veth peer name outside",
        "ip addr add 10.99.0.1/24 dev inside", "ip link set inside up", "ip link set outside up",
        "ip route add default via 10.99.0.2", "ip route add 224.0.0.0/4 dev inside",
    ):
        subprocess.run(command.split(), check=True)
    subscribe, publish, kind = sys.argv[1:]
    if kind == "introduced":
        introducer = Introducer.open(int(os.environ["ROS_DOMAIN_ID"]), os.environ, "rmw_fastrtps_cpp")
        os.environ["INTRODUCER"] = str(introducer.port)
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)) as capture:
        capture.bind(("inside", 0))
        capture.setblocking(False)
        subscriber = subprocess.Popen([sys.executable, "-c", subscribe, kind], stdout=subprocess.PIPE, text=True)
        assert subscriber.stdout.readline().strip() == "ready"
        command = [sys.executable, "-c", publish, kind, "1000", "30"]
        arrived = int(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
        subscriber.kill()
        sent = []
        while True:
            try:
                frame = capture.recv(2048)
            except BlockingIOError:
                break
            if frame[12:14] in (b"\\x08\\x00", b"\\x08\\x06"):  # IPv4 or ARP
                sent.append(frame)
    print(arrived, len(sent), flush=True)
"""


def can_make_networks() -> bool:
    command = shutil.which("unshare")
    if command is None or shutil.which("ip") is None:
        return False
    return subprocess.run([command, "--net", "--mount", "ip", "link", "set", "lo", "up"], check=False).returncode == 0


@pytest.mark.skipif(not can_make_networks(), reason="needs to be allowed to make network namespaces")
@pytest.mark.parametrize(
    ("kind", "discovery", "leaves"),
    [
        ("images", "LOCALHOST", False),
        ("ordinary", "LOCALHOST", False),
        ("introduced", "LOCALHOST", False),
        ("images", "SUBNET", True),
        ("ordinary", "SUBNET", True),
    ],
)
def test_nothing_leaves_the_machine_that_is_not_to(
    domain: int, monkeypatch: pytest.MonkeyPatch, kind: str, discovery: str, leaves: bool
) -> None:
    pytest.importorskip("rclpy", reason="needs rclpy")
    monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", discovery)
    scripts = [textwrap.dedent(script) for script in (OUTSIDE, SUBSCRIBE, PUBLISH)]
    done = subprocess.run(
        ["unshare", "--net", "--mount", sys.executable, "-c", *scripts, kind],
        check=True,
        capture_output=True,
        text=True,
        timeout=120,
    )
    arrived, sent = map(int, done.stdout.split())
    assert arrived == 5
    assert (sent > 0) == leaves


# ------------------------------------------------------------------------------------------------------- in a fleet


def test_a_fleet_gives_memory_to_the_camera_alone_and_takes_it_back_from_the_killed(
    domain: int, wait_for: Callable[..., Any]
) -> None:
    pytest.importorskip("rclpy", reason="needs rclpy")
    from fleet_modules import robot
    from image_modules import Camera, Viewer

    from dimos_ros import ModuleCoordinator, autoconnect

    fleet = autoconnect(
        autoconnect(Camera.blueprint(), Viewer.blueprint()).namespace("camera"), robot.namespace("robot")
    )
    with ModuleCoordinator.build(fleet) as coordinator:
        viewer = coordinator.get_instance(Viewer)

        def process(name: str) -> Any:
            return next(r.container for r in coordinator.records() if r.key.namespace == name)

        assert max(sizes(segments_of(process("camera").pid))) >= IMAGE_SEGMENT >> 20
        assert max(sizes(segments_of(process("robot").pid))) == 0
        wait_for(lambda: viewer.count() > 2)
        coordinator.restart_module(Camera)
        before = viewer.count()
        wait_for(lambda: viewer.count() > before + 2)
        camera = next(r.container for r in coordinator.records() if r.instance.class_name == "Camera")
        assert max(sizes(segments_of(camera.pid))) >= IMAGE_SEGMENT >> 20

        left = segments_of(camera.pid)
        assert left == camera.segments
        os.kill(camera.pid, signal.SIGKILL)
        wait_for(lambda: not process_exists(camera.pid))
        wait_for(lambda: not [name for name in left if (SHARED_MEMORY / name).exists()])
        deadline = time.monotonic() + 30
        before = viewer.count()
        while viewer.count() <= before + 2:
            assert time.monotonic() < deadline
