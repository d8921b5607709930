"""The command line against a coordinator that runs a fleet of two robots."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import own_domain, process_exists, wait_until

from dimos_ros.cli.fleet_client import FleetClient
from dimos_ros.cli.main import main
from dimos_ros.cli.module_status import ModuleStatus

pytest.importorskip("rclpy", reason="needs rclpy")
from rcl_interfaces.msg import Parameter, ParameterValue
from rcl_interfaces.srv import SetParameters

HERE = Path(__file__).resolve().parent
FLEET = [sys.executable, "-m", "dimos_ros.cli.main"]


class Ran:
    """Result of a command line: its exit code and its output."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Fleet = Callable[..., Ran]
Status = Callable[[str], ModuleStatus]


@pytest.fixture(scope="module")
def domain() -> Iterator[None]:
    """Set a ROS domain for this file alone, and put the small fleet on the Python path."""
    with own_domain() as domain, pytest.MonkeyPatch.context() as patch:
        patch.setenv("ROS_DOMAIN_ID", str(domain))
        patch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
        patch.setenv("PYTHONPATH", f"{HERE}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
        patch.syspath_prepend(str(HERE))
        yield


@pytest.fixture(scope="module")
def coordinator(domain: None) -> Iterator[subprocess.Popen[str]]:
    """Start a coordinator and wait for its fleet; check at the end that it stops in order."""
    command = [sys.executable, "-m", "dimos_ros.coordinator.main"]
    process = subprocess.Popen([*command, "--ros-args", "-p", "blueprint:=small_fleet:fleet"], text=True)
    try:
        with FleetClient() as client:

            def states() -> list[str]:
                return [module.state for module in client.list_modules()]

            wait_until(lambda: process.poll() is not None or states() == ["active"] * 4, 30)
            assert process.poll() is None, f"the coordinator ended with exit code {process.poll()}"
            yield process
            pids = {module.process_id for module in client.list_modules()}
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
        assert not [pid for pid in pids if process_exists(pid)]
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def status(coordinator: subprocess.Popen[str]) -> Iterator[Callable[[str], ModuleStatus]]:
    """Return a function from full node name to status. Its client stays connected, because discovery takes time."""
    with FleetClient() as client:
        yield lambda name: next(m for m in client.list_modules() if m.full_node_name == name)


@pytest.fixture
def fleet(coordinator: subprocess.Popen[str], capsys: pytest.CaptureFixture[str]) -> Fleet:
    """Return a function that runs a command line of ``fleet``."""

    def run(*words: str) -> Ran:
        capsys.readouterr()
        code = main(words)
        captured = capsys.readouterr()
        return Ran(code, captured.out, captured.err)

    return run


def test_list_shows_every_module_to_people_and_to_programs(fleet: Fleet) -> None:
    lines = fleet("list").out.splitlines()
    assert [line.split()[:5] for line in lines[1:]] == [
        [robot, *module, "active", "ok"]
        for robot in ("robot1", "robot2")
        for module in (["Beacon", "beacon"], ["Listener", "listener"])
    ]
    beacon, listener = fleet("list", "/robot2/", "--json").json
    assert beacon["node_namespace"] == listener["node_namespace"] == "robot2"
    assert listener["class_path"] == "small_fleet:Listener"
    assert listener["container"] == "/robot2/container"
    assert process_exists(listener["process_id"])


def test_what_is_asked_of_a_namespace_that_is_not_there_is_refused_naming_those_that_are(fleet: Fleet) -> None:
    for words in (
        ["list", "robot3"],
        ["restart", "robot3", "Beacon"],
        ["unload", "robot3"],
        ["call", "robot3", "Beacon"],
    ):
        ran = fleet(*words)
        assert ran.code == 1, words
        assert "robot1" in ran.err
        assert "robot2" in ran.err
        assert ran.out == ""


def test_restart_of_one_module_leaves_the_other_robots_process_alone(fleet: Fleet, status: Status) -> None:
    before, other = status("/robot1/listener"), status("/robot2/listener")
    ran = fleet("restart", "robot1", "Listener")
    assert ran.code == 0, ran.err
    assert "robot1/listener" in ran.out
    after = status("/robot1/listener")
    assert after.restarts == before.restarts + 1
    assert after.process_id != before.process_id
    assert status("/robot2/listener").process_id == other.process_id


def test_a_node_name_does_for_a_class_in_every_verb(fleet: Fleet, status: Status) -> None:
    before = status("/robot1/beacon").restarts
    assert fleet("restart", "robot1", "beacon", "--no-reload").code == 0
    assert status("/robot1/beacon").restarts == before + 1
    assert fleet("describe", "robot1", "beacon").out.startswith("/robot1/beacon: active, ok\n")
    assert fleet("call", "robot1", "small_fleet:Listener", "add", "1").out == "1\n"
    refused = [fleet(*words).err for words in (["restart", "robot1", "baecon"], ["call", "robot1", "baecon", "sent"])]
    assert refused[0] == refused[1]
    assert "no baecon runs; classes that do: Beacon, Listener; node names: beacon, listener" in refused[0]


def test_a_change_has_an_id_for_the_logs_that_is_given_or_random(fleet: Fleet) -> None:
    ran = fleet("restart", "robot1", "Beacon", "--no-reload", "--json", "--request-id", "shift-2")
    assert (ran.code, ran.json["request_id"]) == (0, "shift-2")
    refused = fleet("unload", "robot1", "Beakon", "--json")
    assert refused.code == 1
    assert re.fullmatch("[0-9a-f]{6}", refused.json["request_id"])
    assert refused.json["request_id"] != fleet("unload", "robot1", "Beakon", "--json").json["request_id"]
    assert "request_id" not in fleet("call", "robot1", "Beacon", "sent", "--json").json


def test_restart_of_a_class_that_does_not_run_there_names_those_that_do(fleet: Fleet) -> None:
    ran = fleet("restart", "robot1", "Listner", "--json")
    assert ran.code == 1
    assert ran.json["success"] is False
    assert "Listener" in ran.json["message"]
    assert ran.json["message"] in ran.err


def test_restart_without_a_class_restarts_the_whole_namespace(fleet: Fleet, status: Status) -> None:
    before = {name: status(name).restarts for name in ("/robot2/beacon", "/robot2/listener", "/robot1/beacon")}
    ran = fleet("restart", "robot2", "--no-reload", "--json")
    assert (ran.code, ran.json["success"]) == (0, True)
    more = {name: status(name).restarts - restarts for name, restarts in before.items()}
    assert more == {"/robot2/beacon": 1, "/robot2/listener": 1, "/robot1/beacon": 0}


def test_a_robot_is_loaded_into_the_running_fleet_and_unloaded_again(fleet: Fleet, status: Status) -> None:
    parameters = "{beacon: {period: 0.5}}"
    ran = fleet("load", "small_fleet:robot", "--namespace", "robot3", "--parameters", parameters)
    assert ran.code == 0, ran.err
    try:
        assert status("/robot3/listener").state == "active"
        again = fleet("load", "small_fleet:robot", "--namespace", "robot3")
        assert again.code == 1
        assert "robot3/beacon" in again.err
    finally:
        assert fleet("unload", "robot3", "Listener").code == 0
        assert fleet("unload", "robot3").code == 0
    assert {module["node_namespace"] for module in fleet("list", "--json").json} == {"robot1", "robot2"}


def test_robots_of_a_fleet_file_are_added_to_the_running_fleet_wherever_the_file_is(
    fleet: Fleet, status: Status, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "more.yaml").write_text("defaults: {blueprint: 'small_fleet:Beacon'}\nrobots: [robot4, robot5]\n")
    monkeypatch.chdir(tmp_path)  # the coordinator's working directory is another
    ran = fleet("load", "--config", "more.yaml", "--robots", "robot5", "--namespace", "more")
    assert ran.code == 0, ran.err
    try:
        assert status("/more/robot5/beacon").state == "active"
        assert "1 of 1 loaded" in ran.out
    finally:
        assert fleet("unload", "more").code == 0


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["load", "no_such_package:robot"], 1),
        (["load", "small_fleet"], 1),
        (["load", "--config", "no_such_file.yaml"], 1),
        (["load", "small_fleet:robot", "--parameters", "{"], 2),
        (["load", "small_fleet:robot", "--namespace", "3rd robot"], 2),
    ],
)
def test_what_cannot_be_loaded_is_refused_in_words(fleet: Fleet, words: list[str], code: int) -> None:
    ran = fleet(*words)
    assert ran.code == code
    assert "Traceback" not in ran.err
    assert len(ran.err) > 40


def test_a_call_goes_to_the_robot_that_was_named_and_prints_what_it_returned(fleet: Fleet) -> None:
    assert fleet("call", "robot1", "Listener", "add", "2", "3").out == "5\n"
    assert fleet("call", "robot1", "listener", "add", "b=3", "a=4").out == "7\n"
    assert fleet("call", "robot2", "Listener", "add", "[1]", "--json").json == {
        "success": True,
        "module": "/robot2/listener",
        "result": 1,
    }
    assert fleet("call", "robot1", "Listener").out.splitlines() == [
        "heard() -> int                  Return the last number that arrived.",
        "add(a: int, b: int = 0) -> int  Return the sum.",
        "fail() -> None                  Raise an error.",
    ]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["fail"], "ValueError: not today"),
        (["add", "two"], "add"),
        (["ad", "2"], "add"),
        (["_heard"], "_heard"),
    ],
)
def test_a_call_that_fails_says_why_and_ends_with_code_1(fleet: Fleet, words: list[str], sentence: str) -> None:
    ran = fleet("call", "robot1", "Listener", *words)
    assert ran.code == 1
    assert ran.out == ""
    assert sentence in ran.err


def test_the_graph_of_the_running_fleet_is_the_one_its_blueprint_promised(fleet: Fleet) -> None:
    planned = fleet("graph", "small_fleet:fleet", "--json").json
    live = fleet("graph", "--json").json
    assert len(planned["references"]) == 2
    assert len(planned["streams"]) == 2
    for instance in live["instances"]:
        assert instance.pop("state") == "active"
    for instance in planned["instances"]:
        instance.pop("state")
    assert live == planned
    assert fleet("graph").out == fleet("graph", "small_fleet:fleet").out
    mermaid = fleet("graph", "--format", "mermaid").out
    assert mermaid == fleet("graph", "small_fleet:fleet", "--format", "mermaid").out
    assert mermaid.startswith("flowchart LR")


def test_plan_shows_load_requests_for_the_robots_asked_for(fleet: Fleet) -> None:
    ran = fleet("plan", "small_fleet:fleet", "--robots", "a,b,c", "--arguments", "{period: 0.5}", "--json")
    requests = [instance["request"] for instance in ran.json["instances"]]
    assert {request["node_namespace"] for request in requests} == {"/a", "/b", "/c"}
    assert {request["parameters"].get("period") for request in requests} == {0.5, None}
    table = fleet("plan", "small_fleet:robot", "--namespace", "x").out
    assert "x/beacon" in table
    assert "x/listener" in table
    assert "node_namespace: /x" in fleet("plan", "small_fleet:robot", "--namespace", "x", "--yaml").out
    refused = fleet("plan", "small_fleet:flet")
    assert refused.code == 1
    assert "fleet" in refused.err


def test_describe_shows_a_class_and_a_running_module(fleet: Fleet) -> None:
    assert "std_msgs/msg/Int64" in fleet("describe", "small_fleet:Beacon").out
    running = fleet("describe", "robot1", "Listener")
    assert running.out.startswith("/robot1/listener: active, ok\n")
    assert "add(a: int, b: int = 0)" in running.out
    described = fleet("describe", "robot1", "Listener", "--json").json
    assert described["instance"]["full_node_name"] == "/robot1/listener"
    assert [call["name"] for call in described["calls"]] == ["heard", "add", "fail"]
    assert described["references"] == [{"name": "beacon", "target": "Beacon", "optional": False}]
    refused = fleet("describe", "small_fleet:robot")
    assert refused.code == 1
    assert "fleet plan small_fleet:robot" in refused.err


def test_watch_prints_a_line_for_each_change_until_it_is_interrupted(fleet: Fleet, status: Status) -> None:
    command = [*FLEET, "watch", "--json"]
    watch = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert watch.stdout is not None
        first = json.loads(watch.stdout.readline())
        assert len(first) == 4
        restarts = status("/robot1/beacon").restarts
        assert fleet("restart", "robot1", "Beacon").code == 0
        for line in watch.stdout:
            beacon = next(m for m in json.loads(line) if m["full_node_name"] == "/robot1/beacon")
            if beacon["restarts"] == restarts + 1 and beacon["state"] == "active":
                break
        watch.send_signal(signal.SIGINT)
        _, errors = watch.communicate(timeout=10)
        assert (watch.returncode, errors) == (0, "")
    finally:
        watch.kill()
        watch.wait()


def test_a_coordinator_that_is_not_there_is_said_within_seconds_with_the_one_that_is(fleet: Fleet) -> None:
    def ask() -> str:
        started = time.monotonic()
        ran = fleet("list", "--coordinator", "/fleet2/coordinator", "--timeout", "3")
        assert time.monotonic() - started < 6
        assert ran.code == 3
        assert "no coordinator /fleet2/coordinator" in ran.err
        return ran.err

    # In this short time DDS does not always discover the other coordinator.
    wait_until(lambda: "there is /coordinator: --coordinator /coordinator" in ask(), 60)
    assert fleet("list", "--coordinator", "coordinator/").code == 0


def test_a_reply_that_does_not_come_is_not_waited_for_without_end(fleet: Fleet, status: Status) -> None:
    assert fleet("load", "small_fleet:Slow", "--namespace", "slow", "--parameters", "{slow: {seconds: 0.0}}").code == 0
    try:
        with FleetClient() as client:
            value = ParameterValue(type=3, double_value=8.0)
            request = SetParameters.Request(parameters=[Parameter(name="seconds", value=value)])
            assert client.call_service("/slow/slow/set_parameters", SetParameters, request).results[0].successful
        ran = fleet("restart", "slow", "Slow", "--timeout", "5", "--request-id", "late")
        assert ran.code == 3
        assert "/coordinator did not reply to restart_module within 5 s" in ran.err
        assert "fleet list" in ran.err
        assert "#late marks the request in the logs" in ran.err
        wait_until(lambda: (slow := status("/slow/slow")).restarts == 1 and slow.state == "active", 30)
    finally:
        assert fleet("unload", "slow").code == 0


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("fleet restart ro", {"robot1", "robot2"}),
        ("fleet restart robot1 ", {"Beacon", "Listener"}),
        ("fleet unload robot1 Beacon --name ", {"beacon"}),
        ("fleet call robot1 Listener ", {"heard", "add", "fail"}),
        ("fleet restart robot9 ", set()),
        ("fleet res", {"restart"}),
    ],
)
def test_tab_completes_from_the_running_fleet(fleet: Fleet, tmp_path: Path, line: str, words: set[str]) -> None:
    pytest.importorskip("argcomplete")
    found = tmp_path / "words"
    environment = {
        **os.environ,
        "_ARGCOMPLETE": "1",
        "_ARGCOMPLETE_IFS": "\n",
        "_ARGCOMPLETE_STDOUT_FILENAME": str(found),
        "COMP_LINE": line,
        "COMP_POINT": str(len(line)),
    }

    def completed() -> set[str]:
        ran = subprocess.run(FLEET, env=environment, capture_output=True, text=True, timeout=30)
        assert ran.stderr == ""
        shown = {word.strip() for word in found.read_text().splitlines()}
        return {word for word in shown if not word.startswith("-")}

    # On a busy machine DDS does not always discover the coordinator within the time that Tab waits.
    wait_until(lambda: completed() == words, 30, line)


@pytest.mark.ros2
def test_ros2_dimos_has_the_same_verbs(fleet: Fleet) -> None:
    listed = subprocess.run(["ros2", "dimos", "list", "robot1", "--json"], capture_output=True, text=True, timeout=30)
    assert listed.returncode == 0, listed.stderr
    assert {module["full_node_name"] for module in json.loads(listed.stdout)} == {"/robot1/beacon", "/robot1/listener"}
    refused = subprocess.run(["ros2", "dimos", "restart", "robot1", "X"], capture_output=True, text=True, timeout=30)
    assert refused.returncode == 1
    assert refused.stderr.startswith("ros2 dimos: no X")
    assert "restart" in subprocess.run(["ros2", "dimos"], capture_output=True, text=True, timeout=30).stdout
