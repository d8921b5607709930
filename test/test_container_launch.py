"""The usual tools for containers, ``ros2 component`` and launch files, run against a real container."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("rclpy", reason="needs rclpy")

from container_client import ContainerClient, ContainerProcess, registered_nodes
from std_msgs.msg import String

pytestmark = pytest.mark.ros2


@pytest.fixture
def container_process(domain: int, tmp_path: Path) -> Iterator[ContainerProcess]:
    with ContainerProcess(tmp_path) as process:
        yield process


@pytest.fixture
def client(container_process: ContainerProcess) -> Iterator[ContainerClient]:
    with ContainerClient(container_process.name) as client:
        yield client


def ros2(*arguments: str, timeout: float = 60.0) -> str:
    """Run a ros2 command and return its output."""
    done = subprocess.run(
        ["ros2", *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=timeout, check=False
    )
    return done.stdout


def until(wait_for: Any, words: str, *arguments: str) -> str:
    """Repeat a command until its output has ``words``, and return it: a new participant needs time for discovery."""
    printed: list[str] = []

    def found() -> bool:
        printed.append(ros2(*arguments))
        return words in printed[-1]

    wait_for(found, timeout=60.0, what=f"{words!r} in {arguments}")
    return printed[-1]


QUICK = ("--no-daemon", "--spin-time", "2")


# ------------------------------------------------------------------------------------------------ ros2 component


def test_a_session_of_ros2_component(client: ContainerClient, wait_for: Any) -> None:
    until(wait_for, "/container", "component", "list", *QUICK)

    loading = ("component", "load", *QUICK, "/container", "container_nodes", "container_nodes::Talker")
    options = ("-n", "t", "--node-namespace", "/r", "-r", "chatter:=said", "-p", "period:=0.5")
    extra = ("-e", "use_intra_process_comms:=true")
    until(wait_for, "Loaded component 1 into '/container' container node as '/r/t'", *loading, *options, *extra)
    assert client.list() == {1: "/r/t"}
    assert client.parameters("/r/t", "period") == [0.5]
    wait_for(lambda: client.node.count_publishers("/r/said") == 1)

    printed = until(wait_for, "/r/t", "component", "list", *QUICK, "/container")
    assert "1  /r/t" in printed
    until(
        wait_for,
        "Unloaded component 1 from '/container' container node",
        "component",
        "unload",
        *QUICK,
        "/container",
        "1",
    )
    assert client.list() == {}


def test_failures_that_ros2_component_prints_say_what_would_work(client: ContainerClient, wait_for: Any) -> None:
    loading = ("component", "load", *QUICK, "/container")
    printed = until(wait_for, "Failed to load component", *loading, "container_nodes", "container_nodes::Talkre")
    assert "Failed to find class with the requested plugin name." in printed
    assert "container_nodes::talker" in printed  # the tool prints the reason in small letters
    printed = until(wait_for, "Failed to load component", *loading, "no_such_package", "x::Y")
    assert "Could not find requested resource in ament index" in printed
    printed = until(wait_for, "Failed to unload component", "component", "unload", *QUICK, "/container", "9")
    assert "o node found with unique_id: 9" in printed


def test_a_class_is_loaded_by_its_import_path(client: ContainerClient, wait_for: Any) -> None:
    loading = ("component", "load", *QUICK, "/container", "container_nodes", "container_nodes:Talker")
    until(wait_for, "as '/talker'", *loading)
    assert client.list() == {1: "/talker"}


def test_parameters_and_lifecycle_of_loaded_nodes_are_what_the_tools_expect(
    client: ContainerClient, wait_for: Any
) -> None:
    client.loaded("Managed", node_namespace="/r")
    until(wait_for, "/r/managed", "lifecycle", "nodes", *QUICK)
    until(wait_for, "Transitioning successful", "lifecycle", "set", *QUICK, "/r/managed", "configure")
    until(wait_for, "inactive [2]", "lifecycle", "get", *QUICK, "/r/managed")
    until(wait_for, "Set parameter successful", "param", "set", *QUICK, "/r/managed", "hang_in", "nowhere")
    assert client.parameters("/r/managed", "hang_in") == ["nowhere"]


# ----------------------------------------------------------------------------------------------------- launch


@pytest.fixture
def launch(domain: int, tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """A function that starts ``ros2 launch`` with the text of a launch file. The process is ended after the test."""
    processes: list[subprocess.Popen[str]] = []
    path = registered_nodes(tmp_path / "launch_python")

    def launch(text: str, *arguments: str, suffix: str = "launch.py") -> subprocess.Popen[str]:
        file = tmp_path / f"a{len(processes)}.{suffix}"
        file.write_text(text)
        environment = {**os.environ, "PYTHONPATH": path, "ROS_LOG_DIR": str(tmp_path / "log")}
        with (tmp_path / f"launch{len(processes)}.log").open("w") as log:
            processes.append(
                subprocess.Popen(
                    ["ros2", "launch", str(file), *arguments],
                    env=environment,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    text=True,
                    start_new_session=True,
                )
            )
        return processes[-1]

    yield launch
    for process in processes:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGINT)
            try:
                process.wait(15.0)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
        process.wait(10.0)


CONTAINER = """
from launch import LaunchDescription
from launch_ros.actions import ComposableNodeContainer
from launch_ros.descriptions import ComposableNode


def generate_launch_description():
    return LaunchDescription([
        ComposableNodeContainer(
            package="dimos_ros",
            executable="container",
            name="nodes",
            namespace="/here",
            composable_node_descriptions=[
                ComposableNode(
                    package="container_nodes",
                    plugin="container_nodes::Talker",
                    name="first",
                    namespace="r",
                    remappings=[("chatter", "/said")],
                    parameters=[{"period": 0.25}],
                    extra_arguments=[{"use_intra_process_comms": True}],
                ),
                ComposableNode(package="container_nodes", plugin="container_nodes::NoSuchClass"),
                ComposableNode(package="container_nodes", plugin="container_nodes::Talker", name="second"),
            ],
            output="screen",
        )
    ])
"""


def test_a_launch_file_with_a_composable_node_container_works_unchanged(
    launch: Callable[..., subprocess.Popen[str]], tmp_path: Path, wait_for: Any
) -> None:
    process = launch(CONTAINER)
    with ContainerClient("/here/nodes") as client:
        wait_for(lambda: len(client.list()) == 2, timeout=60.0)
        assert list(client.list().values()) == ["/r/first", "/second"]
        assert client.parameters("/r/first", "period") == [0.25]
        with client.heard(String, "/said") as messages:
            wait_for(lambda: messages)
        log = tmp_path / "launch0.log"
        wait_for(lambda: "Failed to load node" in log.read_text())
        os.killpg(process.pid, signal.SIGINT)
        process.wait(20.0)
        assert "process has finished cleanly" in log.read_text()


RUNNING = """
from launch import LaunchDescription
from launch_ros.actions import LoadComposableNodes
from launch_ros.descriptions import ComposableNode

PARAMETERS = {parameters!r}


def node(robot, plugin, name):
    return ComposableNode(
        package="container_nodes",
        plugin=f"container_nodes::{{plugin}}",
        name=name,
        namespace=robot,
        parameters=[PARAMETERS],
    )


def generate_launch_description():
    return LaunchDescription([
        LoadComposableNodes(
            target_container="/container",
            composable_node_descriptions=[
                node(robot, plugin, name)
                for robot in ("/robot1", "/robot2")
                for plugin, name in (("Talker", "talker"), ("Slow", "mapper"))
            ],
        )
    ])
"""

FLEET_PARAMETERS = """
/**:
  ros__parameters:
    in_c: true
/robot1:
  talker:
    ros__parameters:
      period: 0.1
  mapper:
    ros__parameters:
      delay: 0.01
/robot2/talker:
  ros__parameters:
    period: 0.2
/robot2/mapper:
  ros__parameters:
    delay: 0.02
"""


def test_two_robots_of_two_nodes_are_loaded_into_a_running_container_from_a_parameter_file(
    client: ContainerClient, launch: Callable[..., subprocess.Popen[str]], tmp_path: Path, wait_for: Any
) -> None:
    parameters = tmp_path / "fleet.yaml"
    parameters.write_text(FLEET_PARAMETERS)
    launch(RUNNING.format(parameters=str(parameters)))
    wait_for(lambda: len(client.list()) == 4, timeout=60.0)
    assert set(client.list().values()) == {"/robot1/talker", "/robot1/mapper", "/robot2/talker", "/robot2/mapper"}
    assert client.parameters("/robot1/talker", "period") == [0.1]
    assert client.parameters("/robot2/talker", "period") == [0.2]
    assert client.parameters("/robot1/mapper", "delay", "in_c") == [0.01, True]
    assert client.parameters("/robot2/mapper", "delay", "in_c") == [0.02, True]
    for robot in ("robot1", "robot2"):
        with client.heard(String, f"/{robot}/chatter") as messages:
            wait_for(lambda messages=messages: messages)
            assert messages[0].data.startswith(f"/{robot}/talker")


XML = """
<launch>
  <node_container pkg="dimos_ros" exec="container" name="nodes" namespace="/x">
    <composable_node pkg="container_nodes" plugin="container_nodes::Talker" name="talker" namespace="/r">
      <param name="period" value="0.25"/>
      <extra_arg name="use_intra_process_comms" value="true"/>
    </composable_node>
  </node_container>
</launch>
"""


def test_an_xml_launch_file_works_too(launch: Callable[..., subprocess.Popen[str]], wait_for: Any) -> None:
    launch(XML, suffix="launch.xml")
    with ContainerClient("/x/nodes") as client:
        wait_for(lambda: list(client.list().values()) == ["/r/talker"], timeout=60.0)
        assert client.parameters("/r/talker", "period") == [0.25]


RESPAWN = """
from launch import LaunchDescription
from launch_ros.actions import ComposableNodeContainer


def generate_launch_description():
    return LaunchDescription([
        ComposableNodeContainer(
            package="dimos_ros",
            executable="container",
            name="container",
            namespace="",
            arguments=["--restore", {record!r}],
            respawn=True,
            composable_node_descriptions=[],
        )
    ])
"""


def test_a_container_that_launch_starts_again_after_a_crash_has_its_nodes_again(
    launch: Callable[..., subprocess.Popen[str]], tmp_path: Path, wait_for: Any
) -> None:
    launch(RESPAWN.format(record=str(tmp_path / "record.json")))
    with ContainerClient("/container") as client:
        client.loaded("Talker", node_name="kept")
        client.loaded("Unruly")
        client.publish_unacknowledged(String, "/unruly/order", String(data="crash"))
    wait_for(lambda: "process has died" in (tmp_path / "launch0.log").read_text(), timeout=30.0)
    wait_for(lambda: "/unruly was loaded again" in (tmp_path / "launch0.log").read_text(), timeout=30.0)
    with ContainerClient("/container") as client:
        wait_for(lambda: client.list() == {1: "/kept", 2: "/unruly"})
        with client.heard(String, "/chatter") as messages:
            wait_for(lambda: messages)
