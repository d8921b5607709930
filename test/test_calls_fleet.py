"""Calls in a fleet reach the named instance, also across restarts, unloading and the death of a process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("rclpy", reason="needs rclpy")

from calls_modules import Clock, Customer, Player, Workshop, players, workshops
from rclpy.node import Node

from dimos_ros import ModuleCoordinator, autoconnect
from dimos_ros.calls.directory import Directory, Known
from dimos_ros.calls.proxy import Proxy, close
from dimos_ros.exceptions import CallError, TargetDiedError, TargetInactiveError, TargetNotFoundError

Build = Callable[..., ModuleCoordinator]
Wait = Callable[..., Any]


def test_ten_thousand_calls_each_on_two_robots_reach_the_right_one(build: Build) -> None:
    coordinator = build(workshops(["robot1", "robot2"]))
    calls = 10_000

    def call(robot: str, number: int) -> Counter[str]:
        proxy = coordinator.get_instance(Workshop, namespace=robot)
        return Counter(proxy.who() for _ in range(number))

    with ThreadPoolExecutor(4) as pool:
        robots = ["robot1", "robot2"] * 2
        answers = [(robot, pool.submit(call, robot, calls // 2)) for robot in robots]
        found = {name: sum((f.result(300.0) for r, f in answers if r == name), Counter()) for name in robots}
    assert found == {
        "robot1": Counter({"/robot1/workshop": calls}),
        "robot2": Counter({"/robot2/workshop": calls}),
    }


def test_a_hundred_calls_at_once_to_each_of_two_robots_are_answered(build: Build) -> None:
    coordinator = build(workshops(["robot1", "robot2"]))
    proxies = [coordinator.get_instance(Workshop, namespace=name) for name in ("robot1", "robot2")]
    futures = [(number, proxy.add.future(number, b=2)) for number in range(100) for proxy in proxies]
    assert all(future.result(20.0) == number + 2 for number, future in futures)


def test_within_a_container_calls_do_not_leave_the_process(build: Build) -> None:
    coordinator = build(workshops(["robot1"]))
    customer = coordinator.get_instance(Customer, namespace="robot1")
    assert customer.order(5) == 6
    assert customer.is_within_the_process()


def test_all_modules_of_a_container_call_each_other_at_once(build: Build, wait_for: Wait) -> None:
    names = [f"robot{n}" for n in range(1, 4)]
    coordinator = build(players([f"all/{name}" for name in names]))
    rounds = 6
    first = [coordinator.get_instance(Player, namespace=f"all/{name}", name="a") for name in names]
    second = [coordinator.get_instance(Player, namespace=f"all/{name}", name="b") for name in names]
    futures = [proxy.play.future(rounds) for proxy in (first + second) * 10]
    turns = [future.result(30.0) for future in futures]
    expected = ["a", "b"] * (rounds // 2) + ["a"], ["b", "a"] * (rounds // 2) + ["b"]
    assert turns == ([expected[0]] * 3 + [expected[1]] * 3) * 10


def test_a_method_that_sleeps_delays_no_stream(build: Build, wait_for: Wait) -> None:
    coordinator = build(players(["robot1"]))
    clock = coordinator.get_instance(Clock, namespace="robot1")
    assert all(future.result(10.0) > 20 for future in [clock.long.future() for _ in range(3)])


def test_an_absent_instance_is_an_error_that_lists_the_running_ones(build: Build) -> None:
    coordinator = build(workshops(["robot1", "robot2"]))
    gone = coordinator.get_instance(Workshop, namespace="robot2")
    assert gone.add(1) == 2
    coordinator.unload_module(Customer, namespace="robot2")
    coordinator.unload_module(Workshop, namespace="robot2")
    started = time.monotonic()
    with pytest.raises(
        TargetNotFoundError, match=r"no Workshop runs as /robot2/workshop; Workshop runs as /robot1/workshop \(active\)"
    ):
        gone.add(1)
    assert time.monotonic() - started < 1.0


def test_unloading_during_a_call_ends_it(build: Build, wait_for: Wait) -> None:
    coordinator = build(Workshop.blueprint().namespace("robot1"))
    workshop = coordinator.get_instance(Workshop, namespace="robot1")
    future = workshop.sleep.future(20.0)
    wait_for(workshop.sleepers)
    started = time.monotonic()
    coordinator.unload_module(Workshop, namespace="robot1")
    with pytest.raises(TargetDiedError, match=r"sleep\(\) was under way when it was unloaded"):
        future.result(5.0)
    assert time.monotonic() - started < 2.0


@pytest.mark.parametrize("respawn", [True, False])
def test_a_process_that_dies_during_calls_ends_them_within_two_seconds(
    build: Build, wait_for: Wait, respawn: bool
) -> None:
    coordinator = build(workshops(["robot1", "robot2"]), respawn=respawn)
    workshop = coordinator.get_instance(Workshop, namespace="robot1")
    futures = [workshop.sleep.future(20.0) for _ in range(5)]
    wait_for(lambda: workshop.sleepers() == 5)
    started = time.monotonic()
    with pytest.raises(TargetDiedError, match=r"die\(\) was under way when .* not sent again"):
        workshop.die()
    for future in futures:
        with pytest.raises(TargetDiedError, match=r"sleep\(\) was under way when"):
            future.result(2.0)
    assert time.monotonic() - started < 2.0
    if respawn:
        assert workshop.add.within(10.0)(1) == 2
    else:
        with pytest.raises(TargetNotFoundError, match=r"Workshop runs as /robot2/workshop \(active\)"):
            workshop.add(1)
    assert coordinator.get_instance(Workshop, namespace="robot2").add(1) == 2


def test_calls_across_restarts_wait_or_fail_and_none_is_sent_twice(build: Build, tmp_path: Path) -> None:
    coordinator = build(workshops(["robot1", "robot2"]))
    file = tmp_path / "noted"
    workshop = coordinator.get_instance(Workshop, namespace="robot1")
    over = threading.Event()
    outcomes: list[tuple[str, str]] = []

    def call(caller: int) -> None:
        number = 0
        while not over.is_set():
            number += 1
            token = f"{caller}.{number}"
            try:
                assert workshop.note(token, str(file)) == token
                outcomes.append((token, "done"))
            except TargetDiedError:
                outcomes.append((token, "died"))
            except CallError as error:
                outcomes.append((token, f"{type(error).__name__}: {error}"))

    threads = [threading.Thread(target=call, args=(caller,)) for caller in range(4)]
    for thread in threads:
        thread.start()
    pids = {workshop.pid()}
    for _ in range(4):
        coordinator.restart_module(Workshop, namespace="robot1")
        pids.add(workshop.pid())
    over.set()
    for thread in threads:
        thread.join(20.0)
        assert not thread.is_alive()
    counts = Counter(kind for _, kind in outcomes)
    noted = Counter(file.read_text().split())
    assert set(noted.values()) == {1}, "a request was sent again"
    done = {token for token, kind in outcomes if kind == "done"}
    assert done <= set(noted)
    assert len(pids) == 5
    assert counts.keys() <= {"done", "died"}, counts
    assert counts["died"] <= 4 * len(threads), "a call that had not begun failed"


def test_a_call_made_during_a_restart_waits_for_the_new_instance(build: Build, wait_for: Wait) -> None:
    coordinator = build(workshops(["robot1"]))
    workshop = coordinator.get_instance(Workshop, namespace="robot1")
    customer = coordinator.get_instance(Customer, namespace="robot1")
    old = workshop.pid()
    restarted = threading.Thread(target=coordinator.restart_module, args=(Workshop,), kwargs={"namespace": "robot1"})
    restarted.start()
    wait_for(lambda: coordinator.directory.get("/robot1/workshop").restarting)
    assert workshop.pid() != old
    assert customer.order(1) == 2
    restarted.join(10.0)


# ------------------------------------------------------------------------------------------- without a coordinator

PROGRAM = """
import sys
import rclpy
from calls_modules import Workshop
rclpy.init(args=sys.argv)
workshop = Workshop()
workshop.trigger_configure()
workshop.trigger_activate()
print("ready", flush=True)
sys.stdin.read()
workshop.destroy_node()
rclpy.shutdown()
"""


class Process:
    """Start workshops in processes of their own, which no coordinator knows."""

    def __init__(self, namespace: str) -> None:
        here = str(Path(__file__).parent)
        path = os.pathsep.join([here, *filter(None, [os.environ.get("PYTHONPATH")])])
        self.child = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, "--ros-args", "-r", f"__ns:={namespace}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": path},
        )
        assert self.child.stdout is not None
        assert self.child.stdout.readline() == "ready\n"

    def end(self) -> None:
        assert self.child.stdin is not None
        assert self.child.stdout is not None
        self.child.stdin.close()
        assert self.child.wait(10.0) == 0
        self.child.stdout.close()

    def kill(self) -> None:
        assert self.child.stdin is not None
        assert self.child.stdout is not None
        self.child.kill()
        self.child.wait()
        self.child.stdin.close()
        self.child.stdout.close()


@pytest.fixture
def start(domain: int) -> Iterator[Callable[[str], Process]]:
    started: list[Process] = []

    def one(namespace: str) -> Process:
        started.append(Process(namespace))
        return started[-1]

    yield one
    for process in started:
        if process.child.poll() is None:
            process.kill()


@pytest.fixture
def node(context: Any) -> Iterator[Node]:
    node = Node("outside", context=context, enable_rosout=False, start_parameter_services=False)
    yield node
    node.destroy_node()


def reached(proxy: Any, wait_for: Wait) -> None:
    """Call until discovery is complete, which may take seconds without an introducer."""

    def answers() -> bool:
        try:
            return bool(proxy.add(1) == 2)
        except TargetNotFoundError:
            return False

    wait_for(answers)


def test_without_a_coordinator_a_killed_process_ends_calls_within_two_seconds(
    start: Callable[[str], Process], node: Node, wait_for: Wait
) -> None:
    first, _ = start("/robot1"), start("/robot2")
    proxies = [Proxy(node, f"/robot{n}/workshop", Workshop) for n in (1, 2)]
    for proxy in proxies:
        reached(proxy, wait_for)
    assert [proxy.who() for proxy in proxies] == ["/robot1/workshop", "/robot2/workshop"]
    future = proxies[0].sleep.future(30.0)
    wait_for(proxies[0].sleepers)
    os.kill(first.child.pid, signal.SIGKILL)
    first.child.wait()
    started = time.monotonic()
    with pytest.raises(TargetDiedError, match="its process ended"):
        future.result(5.0)
    assert time.monotonic() - started < 2.0
    with pytest.raises(TargetNotFoundError, match=r"no Workshop runs as /robot1/workshop; .*/robot2/workshop"):
        proxies[0].add(1)
    assert proxies[1].who() == "/robot2/workshop"
    start("/robot1")  # under the same name, while the graph still shows the killed process
    reached(proxies[0], wait_for)
    for proxy in proxies:
        close(proxy)


def test_without_a_coordinator_a_process_that_ends_in_order_is_missed_at_once(
    start: Callable[[str], Process], node: Node, wait_for: Wait
) -> None:
    process = start("/robot1")
    proxy: Any = Proxy(node, "/robot1/workshop", Workshop)
    reached(proxy, wait_for)
    process.end()
    started = time.monotonic()
    with pytest.raises((TargetNotFoundError, TargetDiedError)):
        proxy.add(1)
    assert time.monotonic() - started < 2.0
    close(proxy)


# ------------------------------------------------------------------- what a proxy makes of what a coordinator says


def test_what_the_directory_says_decides_whether_a_call_waits_fails_or_goes(
    start: Callable[[str], Process], node: Node, wait_for: Wait
) -> None:
    start("/robot1")
    directory = Directory()
    name = "/robot1/workshop"
    proxy: Any = Proxy(node, name, Workshop, directory=directory)

    def say(**what: Any) -> None:
        directory.apply({name: Known("Workshop", **what).to_dict()})

    say(incarnation=1, state="unloaded")
    with pytest.raises(TargetNotFoundError, match=r"/robot1/workshop \(Workshop\) is not loaded now"):
        proxy.add(1)
    say(incarnation=1)
    assert proxy.add(1) == 2, "a known instance is waited for, however long discovery takes"

    say(incarnation=1, restarting=True)
    waiting = proxy.add.future(1)
    in_time = proxy.add.within(0.2).future(1)
    with pytest.raises(TimeoutError, match=r"is still being restarted after 0\.2 s"):
        in_time.result(5.0)
    say(incarnation=2, state="unloaded", restarting=True)
    say(incarnation=2, state="inactive", restarting=True)
    assert waiting.result(5.0) == 2
    say(incarnation=2)

    under_way = proxy.sleep.future(20.0)
    wait_for(proxy.sleepers)
    say(incarnation=2, state="inactive")
    assert proxy.add(1) == 2
    assert not under_way.done()
    say(incarnation=3)
    with pytest.raises(TargetDiedError, match="it was restarted"):
        under_way.result(2.0)
    assert proxy.add(1) == 2

    under_way = proxy.sleep.future(20.0)
    wait_for(lambda: proxy.sleepers() == 2)
    directory.apply({}, [name])
    with pytest.raises(TargetDiedError, match="it was unloaded"):
        under_way.result(2.0)
    assert directory.names() == []
    assert proxy.add(1) == 2, "the graph has it, though the fleet does not"
    close(proxy)
    assert directory._watchers == {}


def test_a_call_back_into_a_module_that_is_being_activated_does_not_wait_for_the_deadline(build: Build) -> None:
    """A's on_activate calls B, which calls A. At the start A refuses the call at once, in a restart soon."""
    from calls_modules import Asker, Relay

    coordinator = build(autoconnect(Asker.blueprint(), Relay.blueprint()).namespace("robot1"))
    asker = coordinator.get_instance(Asker, namespace="robot1")
    assert asker.refused() == TargetInactiveError.__name__
    started = time.monotonic()
    coordinator.restart_module(Asker, namespace="robot1")
    assert time.monotonic() - started < 5.0
    assert asker.refused() == TargetInactiveError.__name__
    assert coordinator.get_instance(Relay, namespace="robot1").back() == "here"
