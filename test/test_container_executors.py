"""Running every kind of node with each executor of a container, and freeing the nodes."""

from __future__ import annotations

import gc
import threading
import time
import weakref
from collections.abc import Callable
from typing import Any

import pytest

rclpy = pytest.importorskip("rclpy", reason="needs rclpy")

from managers import Modular, Plain, loaded
from managers import make as make
from managers import manager as manager
from rclpy.action import ActionServer
from rclpy.lifecycle import LifecycleNode
from rclpy.node import Node
from std_msgs.msg import String

from dimos_ros.container.component_manager import ComponentManager
from dimos_ros.container.executors import KINDS, Spinner, events_executor_is_sound, sound_kind


class Managed(LifecycleNode):
    """A managed node of rclpy, not of this package."""

    def __init__(self) -> None:
        super().__init__("managed")
        self.lifecycle_publisher = self.create_lifecycle_publisher(String, "out", 10)


class Acting(Node):
    """A node with an action server, which rclpy does not destroy with the node."""

    def __init__(self) -> None:
        super().__init__("acting")
        from test_msgs.action import Fibonacci

        self.server = ActionServer(self, Fibonacci, "fibonacci", self.execute)

    def execute(self, _: Any) -> None: ...


# ------------------------------------------------------------------------------------------------- executors


def test_the_events_executor_of_this_rclpy_is_sound(context: Any) -> None:
    assert events_executor_is_sound(context)
    assert sound_kind("events", context) == "events"


def test_an_events_executor_that_runs_nothing_is_not_used(context: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    class Idle:
        """An EventsExecutor whose deadline overflows: it returns without running a task."""

        def __init__(self, *, context: Any) -> None: ...

        def add_node(self, _: Any) -> None: ...

        def create_task(self, *_: Any) -> None: ...

        def spin_once(self, timeout_sec: float) -> None: ...

        def spin_until_future_complete(self, *_: Any) -> None: ...

        def shutdown(self) -> None: ...

    monkeypatch.setattr("rclpy.experimental.EventsExecutor", Idle)
    assert sound_kind("events", context) == "single"


def test_an_rclpy_without_an_events_executor_gets_the_single_threaded_one(
    context: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr("rclpy.experimental.EventsExecutor")
    assert sound_kind("events", context) == "single"


def test_an_unknown_executor_is_refused_and_the_error_lists_the_known_ones(context: Any) -> None:
    with pytest.raises(ValueError, match="there are events, single, multi"):
        ComponentManager(context, executor="fast")


@pytest.mark.parametrize("kind", KINDS)
def test_jobs_are_done_at_once_however_long_the_executor_waits(context: Any, kind: str) -> None:
    errors: list[BaseException] = []
    spinner = Spinner(kind, context, "test", errors.append)
    try:
        start = time.monotonic()
        assert [spinner.submit(lambda i=i: i).result(5.0) for i in range(100)] == list(range(100))
        assert time.monotonic() - start < 2.0
    finally:
        spinner.stop()
        spinner.thread.join(5.0)
    assert not spinner.thread.is_alive()
    assert errors == []


@pytest.mark.parametrize("kind", KINDS)
def test_jobs_are_done_after_the_context_was_shut_down(context: Any, kind: str) -> None:
    """A node must be destroyed then, too."""
    spinner = Spinner(kind, context, "test", lambda error: None)
    context.shutdown()
    assert spinner.submit(lambda: 7).result(5.0) == 7
    spinner.stop()
    spinner.thread.join(5.0)
    assert not spinner.thread.is_alive()


def test_isolated_nodes_live_in_threads_of_their_own(make: Callable[..., ComponentManager], wait_for: Any) -> None:
    manager = make()
    nodes = [manager.node(loaded(manager, Plain, node_name=f"n{i}")) for i in range(3)]
    wait_for(lambda: all(node.ticks for node in nodes))
    assert len({node.thread for node in nodes}) == 3
    assert all(set(node.ticks) == {node.thread} for node in nodes)


def test_nodes_that_are_not_isolated_share_a_thread(make: Callable[..., ComponentManager], wait_for: Any) -> None:
    manager = make(isolated=False)
    nodes = [manager.node(loaded(manager, Plain, node_name=f"n{i}")) for i in range(3)]
    wait_for(lambda: all(node.ticks for node in nodes))
    assert len({ident for node in nodes for ident in node.ticks}) == 1


class Blocking(Node):
    """A node whose callback waits until the test lets it go on."""

    go_on = threading.Event()

    def __init__(self) -> None:
        super().__init__("blocking")
        self.begun = threading.Event()
        self.timer = self.create_timer(0.01, self.on_timer)

    def on_timer(self) -> None:
        self.begun.set()
        self.go_on.wait(20.0)


@pytest.mark.parametrize("isolated", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_an_abandoned_node_is_destroyed_when_its_thread_returns(
    make: Callable[..., ComponentManager], kind: str, isolated: bool, context: Any, wait_for: Any
) -> None:
    """This holds also if the thread hangs in the callback of another node."""
    Blocking.go_on.clear()
    manager = make(executor=kind, isolated=isolated, threads=2)
    observer = Node("observer", context=context)
    blocking = loaded(manager, Blocking)
    assert manager.node(blocking).begun.wait(5.0)
    other = loaded(manager, Plain)
    threads = threading.active_count()
    results = [manager.unload(unique_id, 0.4) for unique_id in (other, blocking)]
    assert all(result.success for result in results)
    assert results[1].forced and "Blocking.on_timer" in results[1].detail
    assert manager.list() == []
    Blocking.go_on.set()
    wait_for(lambda: observer.count_services("/plain/ping") == 0)
    if isolated:
        wait_for(lambda: threading.active_count() <= threads)
    # A node that shares the thread runs again.
    again = loaded(manager, Plain)
    wait_for(lambda: manager.node(again).ticks)
    assert not manager.unload(again).forced


# ------------------------------------------------------------------------------------------------------ nodes


def test_nodes_of_every_kind_are_loaded_run_and_unloaded(manager: ComponentManager, wait_for: Any) -> None:
    pytest.importorskip("test_msgs", reason="needs test_msgs, for an action")
    ids = [loaded(manager, each) for each in (Plain, Managed, Modular, Acting)]
    node = manager.node(ids[0])
    wait_for(lambda: len(node.ticks) > 3)
    for unique_id in ids[1:3]:
        for name in ("configure", "activate"):
            assert manager.run(unique_id, lambda n, name=name: getattr(n, f"trigger_{name}")(), 5.0).name == "SUCCESS"
    assert manager.list() == list(zip(ids, ["/plain", "/managed", "/modular", "/acting"], strict=True))
    for unique_id in ids:
        result = manager.unload(unique_id)
        assert result.success and not result.forced, result
        assert manager.node(unique_id) is None
    assert manager.list() == []


@pytest.mark.parametrize("node_class", [Plain, Managed])
def test_an_unloaded_node_is_freed_without_a_collection_of_garbage(
    manager: ComponentManager, node_class: type, wait_for: Any
) -> None:
    gc.collect()
    gc.disable()
    try:
        unique_id = loaded(manager, node_class)
        reference = weakref.ref(manager.node(unique_id))
        assert manager.unload(unique_id).success
        wait_for(lambda: reference() is None, timeout=0.8)  # before the janitor collects garbage
    finally:
        gc.enable()


def test_an_action_server_is_gone_from_the_graph_with_its_node(
    manager: ComponentManager, context: Any, wait_for: Any
) -> None:
    """rclpy leaves the server in the graph until Python frees its object."""
    pytest.importorskip("test_msgs", reason="needs test_msgs, for an action")
    observer = Node("observer", context=context)
    unique_id = loaded(manager, Acting)
    wait_for(lambda: observer.count_services("/fibonacci/_action/send_goal") == 1)
    gc.disable()
    try:
        assert manager.unload(unique_id).success
        wait_for(lambda: observer.count_services("/fibonacci/_action/send_goal") == 0, timeout=0.8)
    finally:
        gc.enable()


def test_a_node_that_is_part_of_a_cycle_is_freed_soon(make: Callable[..., ComponentManager], wait_for: Any) -> None:
    manager = make()
    gc.disable()
    try:
        unique_id = loaded(manager, Plain)
        node = manager.node(unique_id)
        node.myself = [node]
        reference = weakref.ref(node)
        del node
        assert manager.unload(unique_id).success
        wait_for(lambda: reference() is None, timeout=5.0)
    finally:
        gc.enable()


def test_unload_leaves_no_thread(manager: ComponentManager, wait_for: Any) -> None:
    def rounds() -> None:
        ids = [loaded(manager, Plain, node_name=f"n{i}") for i in range(5)]
        for unique_id in ids:
            wait_for(lambda unique_id=unique_id: manager.node(unique_id).ticks)
            assert manager.unload(unique_id).success

    rounds()  # the first round starts threads that all nodes share
    before = threading.active_count()
    rounds()
    wait_for(lambda: threading.active_count() <= before + 1)  # the janitor
