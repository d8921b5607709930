"""The coordinator starts and stops a whole fleet in order, and leaves no process behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("rclpy", reason="needs rclpy")

from conftest import process_exists
from fleet_modules import Failing, Finisher, Sink, Source, Steps, robot
from rcl_interfaces.srv import DescribeParameters, GetParameters, SetParameters
from rclpy.node import Node
from rclpy.parameter import Parameter, parameter_value_to_python

from dimos_ros import BlueprintError, BuildError, ModuleCoordinator, autoconnect
from dimos_ros.coordinator import PRELOAD
from dimos_ros.coordinator.from_ros_parameters import PARAMETERS
from dimos_ros.processes.server_process import ForkServer
from dimos_ros.ros.service_caller import ServiceCaller

Build = Callable[..., ModuleCoordinator]


def two_robots() -> Any:
    return autoconnect(robot.namespace("robot1"), robot.namespace("/robot2/"))


def test_two_robots_from_the_same_classes_do_not_meet(build: Build, wait_for: Callable[..., Any]) -> None:
    coordinator = build(two_robots())
    assert {str(record.key) for record in coordinator.records() if record.is_up} == {
        "robot1/source",
        "robot2/source",
        "robot1/sink",
        "robot2/sink",
    }
    for name in ("robot1", "robot2"):
        sink = coordinator.get_instance(Sink, namespace=name)
        wait_for(lambda sink=sink: len(sink.numbers()) > 20)
        assert sink.senders() == [f"/{name}/source"]
        assert sink.source_name() == f"/{name}/source"
        assert sink.ask_source() > 20
    processes = {coordinator.get_instance(Source, namespace=name).pid() for name in ("robot1", "robot2")}
    assert len(processes) == 2


def test_ten_namespaces_do_not_meet(build: Build, wait_for: Callable[..., Any]) -> None:
    names = [f"r{number}" for number in range(10)]
    coordinator = build(autoconnect(*(robot.namespace(name) for name in names)))
    for name in names:
        sink = coordinator.get_instance(Sink, namespace=name)
        wait_for(lambda sink=sink: len(sink.numbers()) > 5)
        assert sink.senders() == [f"/{name}/source"]


def test_providers_are_activated_first_and_deactivated_last(
    build: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = tmp_path / "steps"
    monkeypatch.setenv("STEPS_FILE", str(steps))
    blueprint = autoconnect(Steps.blueprint(name="c"), Steps.blueprint(name="b"), Steps.blueprint(name="a")).remappings(
        [("c", "needs", "b"), ("b", "needs", "a"), ("a", "needs", None)]
    )
    build(blueprint).stop()
    assert steps.read_text().split("\n")[:-1] == [
        "a activate",
        "b activate",
        "c activate",
        "c deactivate",
        "b deactivate",
        "a deactivate",
    ]


@pytest.mark.parametrize(
    ("where", "cause"),
    [
        ("constructor", "no such camera"),
        ("exit", "SystemExit"),
        ("configure", "no such camera"),
        ("activate", "no such camera"),
        ("refuse", "FAILURE"),
        ("crash", "ended"),
    ],
)
def test_one_failing_module_is_named_with_its_cause_and_everything_is_taken_down(
    domain: int, where: str, cause: str
) -> None:
    server = ForkServer(PRELOAD)
    started = time.monotonic()
    with pytest.raises(BuildError) as caught:
        ModuleCoordinator.build(
            autoconnect(two_robots(), Failing.blueprint(where=where).namespace("robot2")), server=server, respawn=False
        )
    assert "robot2/failing (Failing)" in str(caught.value)
    assert cause in str(caught.value)
    assert time.monotonic() - started < 10
    assert server.process.poll() is not None


def test_with_fail_fast_off_the_rest_runs_and_the_failed_one_is_listed(
    build: Build, wait_for: Callable[..., Any]
) -> None:
    blueprint = autoconnect(two_robots(), Failing.blueprint(where="activate").namespace("robot2"))
    coordinator = build(blueprint, fail_fast=False)
    states = {str(record.key): (record.health, record.last_error) for record in coordinator.records()}
    assert states.pop("robot2/failing")[0] == "failed"
    assert {health for health, _ in states.values()} == {"ok"}
    assert len(states) == 4
    sink = coordinator.get_instance(Sink, namespace="robot2")
    wait_for(lambda: sink.numbers())


def test_a_constructor_that_hangs_ends_the_build_within_its_bound(domain: int) -> None:
    with pytest.raises(BuildError, match=r"failing \(Failing\): its constructor still runs after 0\.5 s"):
        ModuleCoordinator.build(Failing.blueprint(where="hang"), load_timeout=0.5, stop_timeout=0.2)


def test_a_raising_handler_is_counted_and_stops_nothing(build: Build, wait_for: Callable[..., Any]) -> None:
    coordinator = build(autoconnect(robot, Failing.blueprint(where="handler")).namespace("robot1"))
    record = wait_for(
        lambda: next((r for r in coordinator.records() if r.last_error and r.key.name == "failing"), None)
    )
    assert "handle_ticks: RuntimeError: a bad tick" in record.last_error
    assert record.is_up
    sink = coordinator.get_instance(Sink)
    before = len(sink.numbers())
    wait_for(lambda: len(sink.numbers()) > before + 10)


def test_deploy_returns_proxies_and_names_that_are_taken_are_refused(build: Build) -> None:
    coordinator = build(robot.namespace("robot1"))
    source = coordinator.deploy(Source, namespace="robot2", period=0.5)
    assert source.pid() > 0
    with pytest.raises(BlueprintError, match=r"robot2/source"):
        coordinator.deploy(Source, namespace="robot2")
    first, second = coordinator.deploy_parallel(Sink.blueprint().namespace("robot2"), robot.namespace("robot3"))[:2]
    assert first.source_name() == "/robot2/source"
    assert second.pid() > 0


def test_a_dead_process_is_noticed_and_its_modules_come_back(build: Build, wait_for: Callable[..., Any]) -> None:
    coordinator = build(two_robots())
    before = {str(record.key): record.container.pid for record in coordinator.records() if record.container}
    os.kill(before["robot1/source"], signal.SIGKILL)
    wait_for(lambda: all(r.is_up and r.restarts == 1 for r in coordinator.records() if r.key.namespace == "robot1"))
    sink = coordinator.get_instance(Sink, namespace="robot1")
    wait_for(lambda: sink.numbers())
    after = {str(record.key): record.container.pid for record in coordinator.records() if record.container}
    assert after["robot1/source"] != before["robot1/source"]
    assert after["robot2/source"] == before["robot2/source"]


def test_the_fleet_comes_back_when_the_parent_of_its_processes_dies(build: Build, wait_for: Callable[..., Any]) -> None:
    coordinator = build(two_robots())
    pids = {record.container.pid for record in coordinator.records() if record.container}
    os.kill(parent_of(min(pids)), signal.SIGKILL)
    wait_for(lambda: all(r.is_up and r.restarts == 1 for r in coordinator.records()))
    assert not [pid for pid in pids if process_exists(pid)]
    sink = coordinator.get_instance(Sink, namespace="robot1")
    wait_for(lambda: sink.numbers())


def test_a_module_that_dies_at_once_is_left_down_after_some_tries(build: Build, wait_for: Callable[..., Any]) -> None:
    coordinator = build(
        autoconnect(robot, Failing.blueprint()).namespace("robot1"), respawn_delay=0.01, respawn_limit=2
    )
    for _ in range(3):
        record = next(r for r in coordinator.records() if r.key.name == "failing")
        restarts = record.restarts
        assert record.container is not None
        os.kill(record.container.pid, signal.SIGKILL)
        if restarts < 2:
            wait_for(lambda r=restarts: all(x.is_up and x.restarts == r + 1 for x in coordinator.records()))
    wait_for(lambda: all(r.health == "crashed" for r in coordinator.records()))
    assert "signal SIGKILL" in coordinator.records()[0].last_error
    coordinator.restart_module(Source, "robot1")
    assert next(r for r in coordinator.records() if r.key.name == "source").is_up


class Executable:
    """Executable ``coordinator`` under test."""

    def __init__(self, *parameters: str, cwd: Path | None = None) -> None:
        arguments = [word for parameter in parameters for word in ("-p", parameter)]
        command = [sys.executable, "-m", "dimos_ros.coordinator.main", "--ros-args", *arguments]
        environment = {**os.environ, "PYTHONPATH": f"{Path(__file__).parent}:{os.environ.get('PYTHONPATH', '')}"}
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment, cwd=cwd
        )
        self.lines: list[str] = []

    def read_until(self, text: str) -> str:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line)
            if text in line:
                return line
        pytest.fail(f"ended without {text!r}: {''.join(self.lines)}")

    def rest(self) -> str:
        assert self.process.stdout is not None
        self.lines += self.process.stdout.readlines()
        self.process.wait(20)
        return "".join(self.lines)

    def family(self) -> set[int]:
        """Return the ids of its process and of all descendants."""
        found, new = {self.process.pid}, {self.process.pid}
        while new:
            parents = new
            new = {pid for pid in all_processes() if parent_of(pid) in parents}
            found |= new
        return found


def all_processes() -> list[int]:
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]


def parent_of(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


@pytest.fixture
def executable(domain: int) -> Iterator[Callable[..., Executable]]:
    started: list[Executable] = []

    def start(*parameters: str, cwd: Path | None = None) -> Executable:
        started.append(Executable(*parameters, cwd=cwd))
        return started[-1]

    yield start
    for one in started:
        if one.process.poll() is None:
            one.process.kill()
        one.process.wait()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_brings_everything_down_with_exit_code_0(
    executable: Callable[..., Executable], wait_for: Callable[..., Any], number: int
) -> None:
    one = executable("blueprint:=fleet_modules:fleet", "robots:=a, b")
    one.read_until("4 of 4 modules up")
    family = one.family()
    assert len(family) >= 4
    one.process.send_signal(number)
    output = one.rest()
    assert one.process.returncode == 0, output
    assert not [pid for pid in family if process_exists(pid)]


def test_a_signal_during_the_build_brings_everything_down(
    executable: Callable[..., Executable], wait_for: Callable[..., Any]
) -> None:
    one = executable("blueprint:=fleet_modules:fleet", "robots:=12")
    one.read_until("starting 24 modules in 12 containers")
    family = one.family()
    one.process.send_signal(signal.SIGINT)
    output = one.rest()
    assert one.process.returncode == 0, output
    assert not [pid for pid in family if process_exists(pid)]


def test_a_coordinator_that_is_killed_leaves_no_process(
    executable: Callable[..., Executable], wait_for: Callable[..., Any]
) -> None:
    one = executable("blueprint:=fleet_modules:robot", "robots:=2")
    one.read_until("4 of 4 modules up")
    family = one.family()
    one.process.kill()
    wait_for(lambda: not [pid for pid in family if process_exists(pid)], timeout=20)


def test_arguments_of_a_blueprint_function_come_from_parameters(executable: Callable[..., Executable]) -> None:
    one = executable("blueprint:=fleet_modules:fleet", "robots:=1", "arguments.period:=fast")
    output = one.rest()
    assert one.process.returncode == 2
    assert "period" in output
    assert "Traceback" not in output


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        (["blueprint:=fleet_modules:nothing"], "has no 'nothing'"),
        (["blueprint:=no_such_module:fleet"], "no Python module 'no_such_module'"),
        (["blueprint:=fleet_modules:not_a_blueprint"], "not_a_blueprint"),
        (["blueprint:=fleet_modules:robot", "robot:=2"], "no parameter 'robot'; it has robots"),
        (["blueprint:=fleet_modules:robot", "robots:=1bot"], "1bot"),
        (["config:=/no/such/file.yaml"], "/no/such/file.yaml"),
        (["blueprint:=fleet_modules:robot", "fail_fast:=maybe"], "setting fail_fast takes true or false, not 'maybe'"),
        (["blueprint:=fleet_modules:robot", "executor:=fast"], "setting executor takes one of events, single, multi"),
        (["blueprint:=fleet_modules:robot", "parameters:='{sink: 3}'"], "parameters of 'sink' are a mapping by name"),
    ],
)
def test_wrong_parameters_end_with_a_sentence_and_code_2(
    executable: Callable[..., Executable], parameters: list[str], message: str
) -> None:
    one = executable(*parameters)
    output = one.rest()
    assert one.process.returncode == 2, output
    assert message in output
    assert "Traceback" not in output


def test_parameters_in_effect_can_be_read_with_their_help_and_not_be_changed(
    executable: Callable[..., Executable], context: Any
) -> None:
    one = executable("robots:=2", "stop_timeout:=1", "parameters.sink.label:=x")
    one.read_until("nothing to start")
    node = Node("asker", context=context)

    def ask(service_type: Any, service: str, **fields: Any) -> Any:
        caller = ServiceCaller(node, service_type, f"/coordinator/{service}")
        try:
            assert caller.wait_for_service(15)
            return caller.call(service_type.Request(**fields), 15)
        finally:
            caller.close()

    try:
        described = ask(DescribeParameters, "describe_parameters", names=list(PARAMETERS)).descriptors
        found = {one.name: (one.description, one.read_only) for one in described if one.name != "use_sim_time"}
        assert found == {name: (help, True) for name, (_, help) in PARAMETERS.items() if name != "use_sim_time"}
        values = ask(GetParameters, "get_parameters", names=["robots", "stop_timeout", "spares", "executor"]).values
        assert [parameter_value_to_python(value) for value in values] == [2, 1, 1, "events"]
        change = Parameter("spares", value=5).to_parameter_msg()
        (result,) = ask(SetParameters, "set_parameters", parameters=[change]).results
        assert not result.successful and "read-only" in result.reason
    finally:
        node.destroy_node()


def test_parameters_of_modules_come_from_parameters(executable: Callable[..., Executable], context: Any) -> None:
    one = executable("blueprint:=fleet_modules:robot", "namespace:=a", "parameters:='{sink: {label: given}}'")
    one.read_until("2 of 2 modules up")
    node = Node("asker", context=context)
    caller = ServiceCaller(node, GetParameters, "/a/sink/get_parameters")
    try:
        assert caller.wait_for_service(15)
        (value,) = caller.call(GetParameters.Request(names=["label"]), 15).values
        assert value.string_value == "given"
    finally:
        caller.close()
        node.destroy_node()


def test_a_failing_module_ends_the_executable_with_code_1(
    executable: Callable[..., Executable], tmp_path: Path
) -> None:
    (tmp_path / "mine.py").write_text(
        "from fleet_modules import Failing\nbroken = Failing.blueprint(where='configure')\n"
    )
    one = executable("blueprint:=mine:broken", "robots:=x", cwd=tmp_path)
    output = one.rest()
    assert one.process.returncode == 1, output
    assert "x/failing (Failing): on_configure: RuntimeError: no such camera" in output


def test_a_module_that_finishes_the_job_ends_the_executable_with_its_summary(
    executable: Callable[..., Executable],
) -> None:
    one = executable("blueprint:=fleet_modules:Finisher")
    output = one.rest()
    assert one.process.returncode == 0, output
    assert "all of it is done" in output


def test_the_python_interface_waits_for_the_end_of_the_job(build: Build) -> None:
    coordinator = build(Finisher.blueprint())
    assert coordinator.loop() == "all of it is done"
    coordinator.stop()


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [(["--help"], 0, "transition_timeout"), (["fleet.yaml"], 2, "unrecognized arguments: fleet.yaml")],
)
def test_the_executable_explains_itself_and_refuses_what_it_does_not_take(
    domain: int, words: list[str], code: int, said: str
) -> None:
    command = [sys.executable, "-m", "dimos_ros.coordinator.main", *words]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert ended.returncode == code
    assert said in ended.stdout + ended.stderr
