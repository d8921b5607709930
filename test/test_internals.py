"""The internals of rclpy that this package uses: each is probed on the installed rclpy and serves its purpose."""

from __future__ import annotations

import contextlib
import gc
import os
import re
import subprocess
import sys
import threading
import warnings
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest

rclpy = pytest.importorskip("rclpy", reason="needs rclpy")

from rclpy.executors import MultiThreadedExecutor, SingleThreadedExecutor
from rclpy.lifecycle import LifecycleNode
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile
from std_msgs.msg import String
from std_srvs.srv import Trigger

from dimos_ros.container.callback_guard import CallbackGuard
from dimos_ros.container.destruction import destroy_remains, end_type_description, interrupt
from dimos_ros.container.executors import Spinner, events_executor_is_sound
from dimos_ros.container.lifecycle import state_of, trigger
from dimos_ros.container.nested_spin import NestedSpin
from dimos_ros.container.node_context import DefaultContext, NodeContext
from dimos_ros.ros import internals
from dimos_ros.ros.concurrent_service import SERVICE_QOS
from dimos_ros.ros.errors import Interrupted
from dimos_ros.ros.internals import (
    dropped_responses,
    interrupting,
    multi_executor,
    parameter_overrides,
    table,
    type_description,
)
from dimos_ros.ros.internals.internal import Internal, NotNeededError, examine, warn_once
from dimos_ros.ros.internals.table import INTERNALS
from dimos_ros.ros.node_options import NodeOptions, applied
from dimos_ros.ros.responses import send

BARE: dict[str, Any] = {"enable_rosout": False, "start_parameter_services": False}
SHOWN: dict[str, str] = {}
"""The test that shows an internal's purpose, by the name of the internal."""


def shows(name: str) -> Callable[[Any], Any]:
    """Mark the test that shows an internal's purpose. The test passes or is skipped if this rclpy does not need it."""

    def mark(test: Any) -> Any:
        assert name in {internal.name for internal in INTERNALS}, f"no internal is named {name!r}"
        SHOWN[name] = test.__name__
        return test

    return mark


@pytest.fixture
def node(context: Any) -> Iterator[Node]:
    node = Node("one", context=context, **BARE)
    yield node
    node.destroy_node()


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The warnings about fallbacks, as in a process that has logged none yet."""
    texts: list[str] = []

    class Logger:
        def warning(self, text: str) -> None:
            texts.append(text)

    monkeypatch.setattr("dimos_ros.ros.internals.internal.get_logger", lambda name: Logger())
    warn_once.cache_clear()
    yield texts
    warn_once.cache_clear()


# ------------------------------------------------------------------------------------------------- the table


@pytest.mark.parametrize("internal", INTERNALS, ids=lambda internal: internal.name)
def test_an_internal_works_with_this_rclpy_or_has_its_fallback(context: Any, internal: Internal) -> None:
    finding = examine(internal, context)
    assert finding.sound, finding.text
    assert context.ok()


def test_each_internal_has_a_test_that_shows_its_purpose() -> None:
    assert set(SHOWN) == {internal.name for internal in INTERNALS}


@pytest.mark.parametrize("internal", INTERNALS, ids=lambda internal: internal.name)
def test_each_row_can_be_read_alone(internal: Internal) -> None:
    assert internal.purpose and internal.touches and internal.versions
    for reference in filter(None, re.split(r"[,;]? ", internal.upstream.replace("of rclcpp: ", ""))):
        if "#" in reference:
            assert re.fullmatch(r"ros2/(rclpy|rclcpp)#\d+", reference), reference


def test_the_module_prints_the_table_and_ends_with_0(domain: int) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "dimos_ros.ros.internals"], capture_output=True, text=True, timeout=60
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert len(re.findall(r"^│[^│]+│ (?:used|fallback) +│", ended.stdout, re.MULTILINE)) == len(INTERNALS)
    assert "BROKEN" not in ended.stdout


def test_the_module_names_broken_internals_and_ends_with_1(
    domain: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(table, "INTERNALS", (made(lambda _: 1 / 0), made(lambda _: "seen", name="good")))
    assert table.main() == 1
    printed = capsys.readouterr().out
    assert "broken with this rclpy: made\n" in printed
    assert "ZeroDivisionError" in printed and "good" in printed


def made(probe: Callable[[Any], Any], name: str = "made", fallback: str = "another way") -> Internal:
    return Internal(name, "a test", "nothing", "", "any", fallback, probe)


def not_needed(_: Any) -> str:
    raise NotNeededError("this rclpy is better")


def test_the_result_or_error_of_a_probe_is_its_finding() -> None:
    used = examine(made(lambda _: "seen"), None)  # type: ignore[arg-type]
    assert (used.state, used.text) == ("used", "seen")
    fallback = examine(made(not_needed), None)  # type: ignore[arg-type]
    assert (fallback.state, fallback.text, fallback.sound) == ("fallback", "this rclpy is better", True)
    needed = examine(made(not_needed, fallback=""), None)  # type: ignore[arg-type]
    assert (needed.state, needed.sound) == ("BROKEN", False)
    broken = examine(made(lambda _: 1 / 0), None)  # type: ignore[arg-type]
    assert (broken.state, broken.text) == ("BROKEN", "ZeroDivisionError: division by zero")


# -------------------------------------------------------------------------------------------- service handles


@shows("waiting on a service or client")
def test_a_thread_waits_on_a_service_and_on_a_client_without_an_executor(node: Node, wait_for: Any) -> None:
    service = internals.ServiceHandle(node, Trigger, "~/ask", SERVICE_QOS)
    client = internals.ClientHandle(node, Trigger, service.name, SERVICE_QOS)
    try:
        wait_for(client.has_server)
        sequence = client.send(Trigger.Request())
        assert service.wait(5_000_000_000)
        _, header = service.take()
        send(service.entity, Trigger.Response(message="here"), header.request_id)
        assert client.wait(5_000_000_000)
        number, response = client.take()
        assert (number, response.message) == (sequence, "here")
        assert client.take() == (None, None)
    finally:
        service.release()
        client.release()
    wait_for(lambda: node.count_services(service.name) == 0)


@pytest.fixture
def half_known(node: Node) -> Iterator[tuple[Any, Any]]:
    """A service and a request whose client no response can reach: its QoS asks for more than the service offers."""
    service = internals.ServiceHandle(node, Trigger, "~/half", SERVICE_QOS)
    late = QoSProfile(depth=10, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    client = node.create_client(Trigger, service.name, qos_profile=late)
    while not service.wait(50_000_000):
        client.call_async(Trigger.Request())
    _, header = service.take()
    yield service.entity, header.request_id
    service.release()


@shows("responses that were dropped")
@pytest.mark.parametrize("disturb", [warnings.resetwarnings, lambda: warnings.simplefilter("ignore")])
def test_a_response_that_rclpy_drops_is_noticed_whatever_filters_a_program_sets(
    half_known: tuple[Any, Any], disturb: Callable[[], None]
) -> None:
    service, request_id = half_known
    if not dropped_responses.DROPS_RESPONSES:
        pytest.skip("this rclpy raises what it cannot send")
    with warnings.catch_warnings():
        disturb()
        assert not internals.is_sent(service, Trigger.Response(), request_id)
        assert not internals.is_sent(service, Trigger.Response(), request_id)
    with pytest.warns(RuntimeWarning, match="of other code"):  # a warning of other code stays a warning
        warnings.warn("failed to send response (timeout): of other code", RuntimeWarning, stacklevel=1)


def test_a_response_is_sent_once_if_rclpy_does_not_warn(
    half_known: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dropped_responses, "DROPS_RESPONSES", False)
    service, request_id = half_known
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert internals.is_sent(service, Trigger.Response(), request_id)
        assert all("failed to send response" in str(warning.message) for warning in caught)


# ------------------------------------------------------------------------------------------------------ nodes


class Named(Node):
    """A class that takes no options, as most classes."""

    def __init__(self) -> None:
        super().__init__("named")
        self.gain = self.declare_parameter("gain", 1.0).value


@shows("construction of nodes")
def test_a_class_without_options_is_constructed_with_the_applied_options(context: Any) -> None:
    arguments = ["--ros-args", "-r", "__node:=other", "-r", "__ns:=/r", "-p", "gain:=2.5"]
    with applied(NodeOptions(context, arguments)):
        node = Named()
        beside = Node("beside", context=context, **BARE)
    assert (node.get_fully_qualified_name(), node.gain) == ("/r/other", 2.5)
    assert beside.get_fully_qualified_name() == "/beside"
    node.destroy_node()
    beside.destroy_node()


@shows("parameter overrides")
@pytest.mark.parametrize("has_them", [True, False])
def test_a_given_value_is_known_before_the_parameter_is_declared(
    context: Any, monkeypatch: pytest.MonkeyPatch, has_them: bool
) -> None:
    node = Node("given", context=context, cli_args=["--ros-args", "-p", "gain:=2.5"], **BARE)
    look = internals.parameter_override if has_them else parameter_overrides._by_declaring
    found = look(node, "gain")
    assert found is not None and found.value == 2.5
    assert look(node, "other") is None
    assert not node.has_parameter("gain") and not node.has_parameter("other")
    assert node.declare_parameter("gain", 1.0).value == 2.5
    node.destroy_node()


@shows("callbacks of a node")
def test_errors_of_callbacks_are_reported_and_the_executor_goes_on(context: Any, node: Node, wait_for: Any) -> None:
    raised: list[str] = []
    guard = CallbackGuard(lambda where, error: raised.append(f"{where}: {error}"))

    def fail() -> None:
        raise ValueError("no")

    before = node.create_timer(0.001, fail)
    guard.watch(node)
    after = node.create_timer(0.001, fail)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(node)
    while len(raised) < 6:
        executor.spin_once(timeout_sec=5.0)
    executor.shutdown()
    assert all("fail (timer, 0.001 s): no" in text for text in raised)
    guard.release(node)
    assert not {"create_timer", "create_service"} & set(vars(node))
    for timer in (before, after):
        node.destroy_timer(timer)


@shows("lifecycle state")
def test_the_state_of_a_managed_node_is_known_without_a_service(context: Any) -> None:
    node = LifecycleNode("managed", enable_communication_interface=False, context=context, **BARE)
    states = [state_of(node)]
    for name in ("configure", "activate", "deactivate"):
        trigger(node, name)
        states.append(state_of(node))
    assert states == ["unconfigured", "inactive", "active", "inactive"]
    node.destroy_node()


class Listener:
    """An object whose method is registered with a context."""

    def __init__(self, told: list[str]) -> None:
        self.told = told

    def hear(self) -> None:
        self.told.append("method")


@shows("borrowed context")
def test_a_node_that_shuts_its_context_down_ends_alone_and_its_callbacks_are_called(context: Any) -> None:
    calls: list[str] = []
    told: list[str] = []
    mine, others = NodeContext(context, calls.append), NodeContext(context, calls.append)
    node = Node("mine", context=mine, **BARE)
    kept, dropped = Listener(told), Listener(told)
    mine.on_shutdown(kept.hear)
    mine.on_shutdown(dropped.hear)
    mine.on_shutdown(lambda: told.append("function"))
    mine.on_shutdown(lambda: 1 / 0)
    del dropped
    others.on_shutdown(lambda: told.append("of another"))
    mine.shutdown()
    assert told == ["method", "function"]
    assert calls == [
        "shut down its context",
        "has an on_shutdown callback that raised ZeroDivisionError: division by zero",
    ]
    assert (mine.ok(), others.ok(), context.ok()) == (False, True, True)
    mine.shutdown()
    assert len(told) == 2
    mine.on_shutdown(lambda: told.append("late"))
    assert told[-1] == "late"
    with pytest.raises(TypeError, match="takes a callable, not int"):
        mine.on_shutdown(7)  # type: ignore[arg-type]
    node.destroy_node()


@shows("default context")
def test_rclpy_shutdown_inside_a_container_has_no_effect(context: Any) -> None:
    told: list[str] = []
    default = DefaultContext(context, told.append)
    assert default.install()
    try:
        rclpy.shutdown()
        assert rclpy.ok() and context.ok()
        assert told == ["called rclpy.shutdown()"]
    finally:
        default.remove()
    assert internals.default_context() is None


def test_an_rclpy_without_a_default_context_to_set_is_left_alone(context: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("rclpy.utilities.g_default_context")
    assert internals.default_context() is None
    assert not DefaultContext(context, print).install()


# -------------------------------------------------------------------------------------------------- executors


@shows("global executor")
def test_two_threads_spin_nodes_of_their_own_at_the_same_time(context: Any) -> None:
    spin = NestedSpin(context)
    spin.install()
    both = threading.Barrier(2, timeout=10.0)
    met: list[str] = []

    def run(name: str) -> None:
        node = Node(name, context=context, **BARE)

        def meet() -> None:
            both.wait()  # each thread is inside its own spin
            met.append(name)
            node.destroy_timer(timer)

        timer = node.create_timer(0.001, meet)
        while name not in met:
            rclpy.spin_once(node, timeout_sec=5.0)
        node.destroy_node()

    threads = [threading.Thread(target=run, args=(name,), daemon=True) for name in ("a", "b")]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20.0)
    finally:
        spin.remove()
    assert sorted(met) == ["a", "b"]


def test_an_rclpy_whose_global_executor_cannot_be_replaced_keeps_it_and_that_is_logged(
    context: Any, monkeypatch: pytest.MonkeyPatch, logged: list[str]
) -> None:
    monkeypatch.setattr(rclpy, "spin_once", lambda node: None)
    before = rclpy.get_global_executor
    for _ in range(2):
        spin = NestedSpin(context)
        spin.install()
        assert rclpy.get_global_executor is before
        spin.remove()
    assert rclpy.get_global_executor is before
    assert len(logged) == 1 and "get_global_executor" in logged[0]


@shows("EventsExecutor")
def test_the_reason_for_not_using_the_events_executor_is_logged_once(
    context: Any, monkeypatch: pytest.MonkeyPatch, logged: list[str]
) -> None:
    sound = events_executor_is_sound(context)
    assert sound == (logged == [])
    logged.clear()
    warn_once.cache_clear()
    monkeypatch.delattr("rclpy.experimental.EventsExecutor")
    assert not events_executor_is_sound(context)
    assert not events_executor_is_sound(context)
    assert len(logged) == 1 and "has no EventsExecutor" in logged[0] and "single-threaded" in logged[0]


@pytest.fixture
def events(context: Any) -> Iterator[Any]:
    fault = internals.events_executor_fault(context)
    if fault:
        pytest.skip(fault)
    executor = internals.make_events_executor(context)
    yield executor
    executor.shutdown()


@shows("EventsExecutor with one node")
def test_a_task_of_an_events_executor_may_raise_with_a_node_in_it_and_with_none(events: Any, node: Node) -> None:
    def fail() -> None:
        raise ValueError("on purpose")

    for change in (lambda _: None, events.add_node, events.remove_node):
        change(node)
        events.create_task(fail)
        with pytest.raises(ValueError, match="on purpose"):
            for _ in range(100):  # the node has other events, which may come first
                events.spin_once(timeout_sec=0.1)


@shows("EventsExecutor without end")
def test_an_events_executor_that_waits_without_end_runs_tasks_and_leaves_the_interpreter_to_other_threads(
    events: Any,
) -> None:
    end: Any = rclpy.task.Future()
    ran: list[int] = []
    thread = threading.Thread(target=events.spin_until_future_complete, args=(end, internals.FOREVER), daemon=True)
    thread.start()
    came = threading.Event()
    for number in range(20):
        came.clear()
        events.create_task(lambda number=number: (ran.append(number), came.set()))
        assert came.wait(5.0)
    assert thread.is_alive()
    end.set_result(None)
    thread.join(5.0)
    assert not thread.is_alive()
    assert ran == list(range(20))


@shows("errors of a MultiThreadedExecutor")
def test_an_error_of_a_multi_executors_task_is_reported_without_a_next_message(context: Any, wait_for: Any) -> None:
    errors: list[BaseException] = []
    executor = MultiThreadedExecutor(2, context=context)
    assert internals.report_task_errors(executor, 2, errors.append)

    def leave() -> None:
        raise SystemExit(3)

    executor.create_task(leave)
    executor.spin_once(timeout_sec=5.0)
    wait_for(lambda: errors)
    assert isinstance(errors[0], SystemExit)
    executor.shutdown(0.0)


def test_a_multi_executor_without_a_thread_pool_is_used_unchanged_and_that_is_logged(
    context: Any, monkeypatch: pytest.MonkeyPatch, logged: list[str]
) -> None:
    monkeypatch.setattr(multi_executor, "ThreadPoolExecutor", str)
    for _ in range(2):
        spinner = Spinner("multi", context, "test", lambda error: None, 2)
        assert spinner.submit(lambda: 7).result(5.0) == 7
        spinner.stop()
        spinner.thread.join(5.0)
    assert len(logged) == 1 and "thread pool" in logged[0]


# ------------------------------------------------------------------------------------------------ destruction


class HalfMade(LifecycleNode):
    """A node whose constructor fails at its end."""

    made: list[weakref.ref[Any]] = []

    def __init__(self, context: Any) -> None:
        self.made.append(weakref.ref(self))
        super().__init__("half_made", context=context)
        self.publisher = self.create_publisher(String, "half_made", 10)
        self.hook = self.check
        raise ValueError("no")

    def check(self) -> None: ...


@shows("remains of a node")
def test_a_node_whose_constructor_failed_is_gone_without_a_collection_of_garbage(
    context: Any, node: Node, wait_for: Any
) -> None:
    guard = CallbackGuard(lambda where, error: None)
    gc.disable()
    try:
        with contextlib.suppress(ValueError), applied(options := NodeOptions(context)):
            HalfMade(context)
        half = options.node
        options.node = None
        assert half is not None
        guard.watch(half)
        end_type_description(half)
        guard.release(half)
        destroy_remains(half)
        del half
        assert HalfMade.made.pop()() is None
    finally:
        gc.enable()
    wait_for(lambda: node.count_publishers("/half_made") == 0)
    wait_for(lambda: "half_made" not in node.get_node_names())


@shows("type description service")
def test_destroyed_nodes_leave_no_service_in_the_graph(context: Any, node: Node, wait_for: Any) -> None:
    def left() -> list[str]:
        return [name for name, _ in node.get_service_names_and_types() if name.startswith("/short_lived")]

    for number in range(5):
        short = Node(f"short_lived{number}", context=context)
        wait_for(left)
        end_type_description(short)
        short.destroy_node()
        destroy_remains(short)
        wait_for(lambda: left() == [])


def test_the_observation_whether_services_are_left_leaves_none(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"{node.get_fully_qualified_name()}/get_type_description"
    before = node.count_services(name)
    verdicts = set()
    for _ in range(5):
        monkeypatch.setattr(type_description, "_is_left", None)
        verdicts.add(type_description.is_service_left(node))
        assert node.count_services(name) == before
    assert len(verdicts) == 1


@pytest.mark.parametrize("verdict", [None, False])
def test_rcl_is_not_called_unless_this_rclpy_was_seen_to_need_it(
    context: Any, monkeypatch: pytest.MonkeyPatch, verdict: bool | None
) -> None:
    """The verdict None means that it cannot be observed, for example after the context was shut down."""
    called: list[Any] = []
    monkeypatch.setattr(type_description, "_rcl_service_fini", lambda: called.append)
    monkeypatch.setattr(type_description, "_is_left", verdict)
    short = Node("short_lived", context=context, **BARE)
    if verdict is None:
        context.shutdown()
    end_type_description(short)
    assert called == []
    assert type_description._is_left is verdict
    short.destroy_node()


def loop(begun: threading.Event, stop: threading.Event, ended: list[BaseException]) -> None:
    try:
        begun.set()
        while not stop.is_set():
            pass
    except Interrupted as error:
        ended.append(error)


@pytest.fixture
def looping() -> Iterator[tuple[threading.Thread, threading.Event, list[BaseException]]]:
    """A thread that loops in Python code, the event that stops it, and the error that interrupted it, if any."""
    begun, stop, ended = threading.Event(), threading.Event(), []
    thread = threading.Thread(target=loop, args=(begun, stop, ended), daemon=True)
    thread.start()
    assert begun.wait(5.0)
    yield thread, stop, ended
    stop.set()
    thread.join(5.0)


@shows("interrupting a node's code")
def test_code_that_loops_is_interrupted(looping: Any) -> None:
    thread, _, ended = looping
    interrupt([thread.ident])
    thread.join(10.0)
    assert not thread.is_alive()
    assert isinstance(ended[0], Interrupted)


def test_an_interpreter_that_cannot_interrupt_leaves_the_code_alone(
    looping: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(interrupting.ctypes, "pythonapi", None)
    thread, stop, ended = looping
    interrupt([thread.ident])
    stop.set()
    thread.join(5.0)
    assert ended == []


@shows("handles after a fork")
def test_a_forked_process_that_destroys_a_node_takes_nothing_from_its_parent(
    context: Any, domain: int, wait_for: Any
) -> None:
    shared = Node("shared", context=context, **BARE)
    publisher = shared.create_publisher(String, "shared", 10)
    # The peer would notice that an endpoint of the parent is destroyed.
    elsewhere = rclpy.Context()
    elsewhere.init(domain_id=domain)
    peer = Node("peer", context=elsewhere, **BARE)
    heard: list[str] = []
    peer.create_subscription(String, "shared", lambda message: heard.append(message.data), 10)
    executor = SingleThreadedExecutor(context=elsewhere)
    executor.add_node(peer)
    wait_for(lambda: publisher.get_subscription_count() == 1 and peer.count_publishers("/shared") == 1)
    child = os.fork()
    if child == 0:
        try:
            internals.keep_handles()
            shared.destroy_publisher(publisher)
            shared.destroy_node()
            os._exit(0)
        finally:
            os._exit(1)
    ended = wait_for(lambda: (status := os.waitpid(child, os.WNOHANG))[0] and [status[1]], timeout=20.0)
    assert os.waitstatus_to_exitcode(ended[0]) == 0
    for number in range(20):
        publisher.publish(String(data=str(number)))
        while len(heard) <= number:
            executor.spin_once(timeout_sec=5.0)
            assert peer.count_publishers("/shared") == 1
    assert heard == [str(number) for number in range(20)]
    shared.destroy_node()
    wait_for(lambda: peer.count_publishers("/shared") == 0)
    executor.shutdown()
    peer.destroy_node()
    elsewhere.try_shutdown()


@shows("first log message")
def test_the_lookup_for_the_first_log_message_is_done_ahead() -> None:
    program = """
import sys
from dimos_ros.ros.internals import warm_logging
from rclpy.impl import rcutils_logger
before = rcutils_logger._populate_internal_callers
done = warm_logging()
print(before, done, rcutils_logger._populate_internal_callers)
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert ended.stdout == "True True False\n", ended.stdout + ended.stderr
