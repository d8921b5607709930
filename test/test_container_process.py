"""The executable ``container``: its command line, its end, its crashes, and nodes in processes of their own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("rclpy", reason="needs rclpy")

from composition_interfaces.srv import ListNodes
from conftest import process_exists
from container_client import ContainerClient, ContainerProcess, registered_nodes
from rcl_interfaces.srv import GetLoggerLevels
from std_msgs.msg import String
from std_srvs.srv import Trigger


@pytest.fixture
def start(domain: int, tmp_path: Path) -> Iterator[Callable[..., ContainerProcess]]:
    """Return a function that starts a container; the fixture ends it."""
    processes: list[ContainerProcess] = []

    def start(*arguments: str, **options: Any) -> ContainerProcess:
        folder = tmp_path / str(len(processes))
        folder.mkdir()
        processes.append(ContainerProcess(folder, *arguments, **options))
        return processes[-1]

    try:
        yield start
    finally:
        for process in processes:
            process.close()


@pytest.fixture
def connect(domain: int) -> Iterator[Callable[..., ContainerClient]]:
    """Return a function that connects a client; the fixture closes it."""
    clients: list[ContainerClient] = []

    def connect(name: str = "/container") -> ContainerClient:
        clients.append(ContainerClient(name))
        return clients[-1]

    try:
        yield connect
    finally:
        for client in clients:
            client.close()


# ----------------------------------------------------------------------------------------------- command line


def test_the_installed_executable_runs_under_the_name_of_the_cpp_container(
    domain: int, tmp_path: Path, connect: Callable[..., ContainerClient]
) -> None:
    from ament_index_python import get_package_prefix

    executable = Path(get_package_prefix("dimos_ros")) / "lib" / "dimos_ros" / "container"
    environment = {**os.environ, "PYTHONPATH": registered_nodes(tmp_path)}
    process = subprocess.Popen([str(executable)], env=environment)
    try:
        client = connect("/ComponentManager")
        assert client.loaded("Talker").full_node_name == "/talker"
        process.send_signal(signal.SIGINT)
        assert process.wait(10.0) == 0
    finally:
        process.kill()
        process.wait(10.0)


def test_name_and_namespace_are_those_of_the_command_line(
    start: Callable[..., ContainerProcess], connect: Callable[..., ContainerClient]
) -> None:
    start(name="/fleet/robot1/nodes")
    client = connect("/fleet/robot1/nodes")
    # The container's namespace does not apply to its nodes.
    assert client.loaded("Talker").full_node_name == "/talker"
    response = client.load("Talker", node_name="nodes", node_namespace="/fleet/robot1")
    assert "name of the container" in response.error_message


def test_packages_that_are_not_allowed_are_not_loaded(
    start: Callable[..., ContainerProcess], connect: Callable[..., ContainerClient]
) -> None:
    start("--ros-args", "-p", "allowed_packages:=[other_package]")
    response = connect().load("Talker")
    assert not response.success
    assert "allowed_packages has other_package" in response.error_message


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("--executor fast", "invalid choice"),
        ("--threads none", "--threads"),
        ("--restore /no/such/folder/file", "/no/such/folder"),
        ("--ros-args -r nonsense", "nonsense"),
    ],
)
def test_a_command_line_that_is_wrong_ends_with_a_sentence(domain: int, line: str, words: str) -> None:
    program = "from dimos_ros.container.main import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", program, *line.split()], capture_output=True, text=True, timeout=30.0, check=False
    )
    assert done.returncode in (1, 2)
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_help_says_what_comes_after_ros_args(domain: int) -> None:
    program = "from dimos_ros.container.main import main; main()"
    done = subprocess.run([sys.executable, "-c", program, "--help"], capture_output=True, text=True, check=True)
    for word in ("--executor", "--isolated", "--processes", "--threads", "--restore", "__node", "allowed_packages"):
        assert word in done.stdout


@pytest.mark.parametrize("arguments", [["--no-isolated"], ["--executor", "single"], ["--executor", "multi"]])
def test_nodes_run_with_each_way_of_running_them(
    start: Callable[..., ContainerProcess],
    connect: Callable[..., ContainerClient],
    arguments: list[str],
    wait_for: Any,
) -> None:
    start(*arguments)
    client = connect()
    ids = [client.loaded("Talker", node_name=f"n{i}").unique_id for i in range(3)]
    with client.heard(String, "/chatter") as messages:
        wait_for(lambda: {message.data.split()[0] for message in messages} == {"/n0", "/n1", "/n2"})
    for unique_id in ids:
        assert client.unload(unique_id).success
    assert client.list() == {}


# -------------------------------------------------------------------------------------------------------- end


@pytest.mark.parametrize("how", ["hang_in_c", "loop"])
def test_a_signal_ends_a_container_whose_node_hangs(
    start: Callable[..., ContainerProcess], connect: Callable[..., ContainerClient], how: str
) -> None:
    process = start()
    client = connect()
    client.loaded("Unruly")
    client.loaded("Talker")
    client.publish(String, "/unruly/order", String(data=how))
    begin = time.monotonic()
    assert process.stop(signal.SIGTERM) == 0, process.log.read_text()
    assert time.monotonic() - begin < 6.0


def test_a_signal_ends_a_container_whose_node_is_being_constructed(
    start: Callable[..., ContainerProcess], connect: Callable[..., ContainerClient], wait_for: Any
) -> None:
    process = start()
    client = connect()
    client.send(client.load_service, client.request("Slow", parameters={"delay": 15.0, "in_c": True}))
    wait_for(lambda: "/slow" in client.nodes())
    begin = time.monotonic()
    assert process.stop(signal.SIGINT) == 0, process.log.read_text()
    assert time.monotonic() - begin < 6.0


def test_a_signal_during_the_start_is_not_a_failure(start: Callable[..., ContainerProcess], wait_for: Any) -> None:
    process = start()
    own_code = wait_for(lambda: b"container" in Path(f"/proc/{process.process.pid}/cmdline").read_bytes())
    assert own_code
    status = Path(f"/proc/{process.process.pid}/status")

    def catches_signals() -> bool:
        (line,) = (line for line in status.read_text().splitlines() if line.startswith("SigCgt:"))
        return bool(int(line.split()[1], 16) & (1 << (signal.SIGTERM - 1)))

    wait_for(catches_signals)
    assert process.stop(signal.SIGTERM) == 0


# ------------------------------------------------------------------------------------------------------ crash


def test_a_container_that_crashed_loads_its_nodes_again_under_their_ids(
    start: Callable[..., ContainerProcess], connect: Callable[..., ContainerClient], tmp_path: Path, wait_for: Any
) -> None:
    """Launch with ``respawn`` starts the same command line again. Without --restore the container would be empty."""
    record = tmp_path / "record.json"
    first = start("--restore", str(record))
    client = connect()
    client.unload(client.loaded("Talker", node_name="gone").unique_id)
    kept = client.loaded("Talker", node_name="kept", parameters={"period": 0.5}, remap_rules=["chatter:=x"])
    other = client.loaded("Managed")
    first.process.kill()
    first.process.wait(10.0)
    client.close()

    second = start("--restore", str(record))
    client = connect()
    wait_for(lambda: len(client.list()) == 2, timeout=20.0)
    assert client.list() == {kept.unique_id: "/kept", other.unique_id: "/managed"}
    assert client.parameters("/kept", "period") == [0.5]
    assert client.loaded("Talker").unique_id == other.unique_id + 1
    assert second.stop() == 0
    assert not record.exists()
    client.close()

    start("--restore", str(record))
    assert connect().list() == {}


def test_a_node_that_takes_the_container_down_when_loaded_is_not_loaded_for_ever(
    start: Callable[..., ContainerProcess], connect: Callable[..., ContainerClient], tmp_path: Path, wait_for: Any
) -> None:
    record = tmp_path / "record.json"
    first = start("--restore", str(record))
    client = connect()
    client.loaded("Slow", parameters={"delay": 0.0})
    first.process.kill()
    first.process.wait(10.0)
    client.close()
    content = json.loads(record.read_text())
    for node in content["nodes"].values():
        node["attempts"] = 3  # the container died in three attempts to load the node
    record.write_text(json.dumps(content))
    start("--restore", str(record))
    assert connect().list() == {}


def test_a_node_that_cannot_be_loaded_again_is_logged_and_left_out(
    start: Callable[..., ContainerProcess], connect: Callable[..., ContainerClient], tmp_path: Path, wait_for: Any
) -> None:
    record = tmp_path / "record.json"
    first = start("--restore", str(record))
    client = connect()
    client.loaded("Talker")
    first.process.kill()
    first.process.wait(10.0)
    client.close()
    second = start("--restore", str(record), "--ros-args", "-p", "allowed_packages:=[other]")
    wait_for(lambda: "was not loaded again" in second.log.read_text())
    wait_for(lambda: json.loads(record.read_text())["nodes"] == {})


# -------------------------------------------------------------------------------------------------- processes


def children_of(pid: int) -> list[int]:
    """Return the ids of all descendants of a process."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid and fields[0] != "Z":
            found += [int(path.parent.name), *children_of(int(path.parent.name))]
    return found


def process_of(process: ContainerProcess, name: str) -> int:
    """Return the id of a node's process, by its name in process lists; 0 while there is none."""
    for pid in children_of(process.process.pid):
        try:
            if Path(f"/proc/{pid}/comm").read_text().strip() == name:
                return pid
        except OSError:
            continue
    return 0


def test_each_node_has_a_process_of_its_own_that_ends_with_it(
    start: Callable[..., ContainerProcess], connect: Callable[..., ContainerClient], wait_for: Any
) -> None:
    process = start("--processes")
    client = connect()
    first = client.loaded("Talker", node_name="first")
    client.loaded("Talker", node_name="second")
    pids = [process_of(process, name) for name in ("first", "second")]
    assert len(set(pids) - {0}) == 2
    with client.heard(String, "/chatter") as messages:
        wait_for(lambda: {message.data.split()[0] for message in messages} == {"/first", "/second"})
    assert client.unload(first.unique_id).success
    wait_for(lambda: not process_exists(pids[0]))
    assert process_exists(pids[1])
    assert process.stop() == 0
    wait_for(lambda: not process_exists(pids[1]))
    assert "Traceback" not in process.log.read_text()


def test_a_node_that_crashes_ends_no_other_and_is_gone_from_the_list(
    start: Callable[..., ContainerProcess], connect: Callable[..., ContainerClient], wait_for: Any
) -> None:
    process = start("--processes")
    client = connect()
    client.loaded("Unruly")
    client.loaded("Talker")
    client.publish_unacknowledged(String, "/unruly/order", String(data="crash"))
    wait_for(lambda: list(client.list().values()) == ["/talker"])
    assert "/unruly" in process.log.read_text() and "SIGSEGV" in process.log.read_text()
    assert client.call(client.client(Trigger, "/talker/ping"), Trigger.Request()).success
    # The name of the crashed node is free again.
    assert client.loaded("Unruly").full_node_name == "/unruly"


def test_a_node_that_crashes_is_loaded_again_with_respawn(
    start: Callable[..., ContainerProcess], connect: Callable[..., ContainerClient], wait_for: Any
) -> None:
    process = start("--processes", "--respawn")
    client = connect()
    unique_id = client.loaded("Talker", node_name="again").unique_id
    for _ in range(2):
        pid = process_of(process, "again")
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda pid=pid: process_of(process, "again") not in (0, pid))
        wait_for(lambda: client.list() == {unique_id: "/again"})
    # The third end soon after a start: the node is given up.
    os.kill(process_of(process, "again"), signal.SIGKILL)
    wait_for(lambda: "is not loaded again" in process.log.read_text())
    assert client.list() == {}


def test_a_constructor_that_crashes_is_an_answer(
    start: Callable[..., ContainerProcess], connect: Callable[..., ContainerClient]
) -> None:
    start("--processes")
    client = connect()
    response = client.load("HalfMade", parameters={"how": "crash"})
    assert not response.success
    assert "Component constructor threw an exception: its process ended with signal SIGSEGV" in response.error_message
    assert client.list() == {}


def test_a_node_whose_process_does_not_react_is_killed_when_unloaded(
    start: Callable[..., ContainerProcess], connect: Callable[..., ContainerClient], wait_for: Any
) -> None:
    process = start("--processes", "--ros-args", "-p", "unload_timeout:=1.0")
    client = connect()
    unique_id = client.loaded("Talker", node_name="stopped").unique_id
    pid = process_of(process, "stopped")
    os.kill(pid, signal.SIGSTOP)
    answer = client.unload(unique_id)
    assert answer.success and "killed" in answer.error_message
    assert not process_exists(pid)


def test_the_processes_end_with_a_container_that_is_killed(
    start: Callable[..., ContainerProcess], connect: Callable[..., ContainerClient], wait_for: Any
) -> None:
    process = start("--processes")
    client = connect()
    client.loaded("Talker")
    children = children_of(process.process.pid)
    assert len(children) >= 2
    process.process.kill()
    process.process.wait(10.0)
    wait_for(lambda: not any(process_exists(pid) for pid in children))


def test_log_levels_of_the_command_line_are_those_of_the_processes(
    start: Callable[..., ContainerProcess], connect: Callable[..., ContainerClient]
) -> None:
    start("--processes", "--ros-args", "--log-level", "talker:=debug")
    client = connect()
    client.loaded("Talker", extra_arguments={"enable_logger_service": True})
    service = client.client(GetLoggerLevels, "/talker/get_logger_levels")
    assert client.call(service, GetLoggerLevels.Request(names=["talker"])).levels[0].level == 10


def test_list_answers_while_a_process_constructs(
    start: Callable[..., ContainerProcess], connect: Callable[..., ContainerClient], wait_for: Any
) -> None:
    start("--processes")
    client = connect()
    slow = client.send(client.load_service, client.request("Slow", parameters={"delay": 1.0, "in_c": True}))
    client.call(client.list_service, ListNodes.Request())
    assert client.loaded("Talker").success
    assert not slow.done()
    wait_for(slow.done)
    assert slow.result().success


@pytest.mark.skipif(shutil.which("register-python-argcomplete") is None, reason="needs argcomplete")
def test_the_command_line_completes(domain: int) -> None:
    environment = {
        **os.environ,
        "_ARGCOMPLETE": "1",
        "_ARGCOMPLETE_STDOUT_FILENAME": "/dev/stdout",
        "COMP_LINE": "container --exec",
        "COMP_POINT": "16",
    }
    program = "import sys; sys.argv[0] = 'container'; from dimos_ros.container.main import main; main()"
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False)
    assert "--executor" in done.stdout
