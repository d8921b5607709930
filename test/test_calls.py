"""Calls through a proxy behave the same inside a process and over ROS: arguments, results and errors."""

from __future__ import annotations

import array
import asyncio
import gc
import json
import pickle
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy
import pytest

pytest.importorskip("rclpy", reason="needs rclpy")

from calls_modules import Adder, Customer, Mood, Part, Workshop
from dimos_interfaces.srv import Call
from geometry_msgs.msg import Pose
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from sensor_msgs.msg import Image
from std_msgs.msg import Int64
from std_srvs.srv import SetBool, Trigger

from dimos_ros import DeclarationError, Module, rpc
from dimos_ros.calls.directory import Directory
from dimos_ros.calls.proxy import Proxy, close
from dimos_ros.container.destruction import destroy_remains
from dimos_ros.exceptions import (
    ArgumentError,
    CallError,
    CallTimeoutError,
    RemoteError,
    TargetDiedError,
    TargetInactiveError,
    TargetNotFoundError,
    UnknownMethodError,
)
from dimos_ros.ros.node_options import LoggingHost, NodeOptions, applied
from dimos_ros.ros.service_caller import ServiceCaller

Wait = Callable[..., Any]


class Host:
    """The part of a container that a module sees."""

    def __init__(self, directory: Directory) -> None:
        self.directory = directory
        self.heard: list[str] = []

    def error(self, where: str, error: BaseException) -> None:
        self.heard.append(f"{where}: {error!r}")

    def state(self, label: str) -> None: ...

    def finish(self, summary: str) -> None: ...


class World:
    """Modules of this process, and proxies that reach them inside the process or over ROS."""

    def __init__(self, context: Any, directory: Directory | None) -> None:
        self.context = context
        self.directory = directory
        self.host = Host(directory) if directory is not None else None
        self.executor = SingleThreadedExecutor(context=context)
        self.thread = threading.Thread(target=self.executor.spin)
        self.thread.start()
        self.node = Node("outside", context=context, enable_rosout=False, start_parameter_services=False)
        self.executor.add_node(self.node)
        self.modules: list[Module] = []
        self.proxies: list[Proxy] = []

    def add(self, cls: type[Module], name: str = "", *, active: bool = True, **parameters: Any) -> Any:
        """Add a module to this process's executor, which has one thread."""
        given = [Parameter(n, value=v) for n, v in parameters.items()]
        arguments = ["--ros-args", "-r", f"__node:={name}"] if name else []
        with applied(NodeOptions(self.context, arguments, given, host=self.host)):
            module = cls()
        self.modules.append(module)
        if active:
            module.trigger_configure()
            module.trigger_activate()
        self.executor.add_node(module)
        return module

    def proxy(self, name: str, target_type: type | None = None, **options: Any) -> Any:
        proxy = Proxy(self.node, name, target_type, directory=self.directory, **options)
        self.proxies.append(proxy)
        return proxy

    def remove(self, module: Module) -> None:
        self.executor.remove_node(module)
        self.modules.remove(module)
        _destroy(module)

    def close(self) -> None:
        self.executor.shutdown()
        self.thread.join(5.0)
        for proxy in self.proxies:
            close(proxy)
        for module in self.modules:
            _destroy(module)
        _destroy(self.node)


def _destroy(node: Node) -> None:
    """Collect garbage, as the container does: rclpy leaves the lifecycle services to the collector."""
    node.destroy_node()
    destroy_remains(node)


@pytest.fixture(params=["within the process", "over ROS"])
def world(request: Any, context: Any) -> Iterator[World]:
    world = World(context, Directory() if request.param == "within the process" else None)
    yield world
    world.close()


@pytest.fixture
def workshop(world: World) -> Any:
    return world.add(Workshop)


@pytest.fixture
def proxy(world: World, workshop: Any) -> Any:
    return world.proxy("/workshop", Workshop)


# --------------------------------------------------------------------------------------------- values and results


def test_arguments_and_results_are_converted_by_the_type_hints(proxy: Any) -> None:
    assert proxy.add(1, b=2) == 3
    assert proxy.add(a=5) == 6
    assert proxy.nothing() is None
    assert proxy.keyword(only=3) == 3
    assert proxy.part(Part("wheel"), [Mood.BUSY]) == {"wheel": Part("wheel", 1.0, Mood.BUSY)}
    assert proxy.either("5") == ["str", "5"]
    assert proxy.either(5) == ["int", 5]
    assert proxy.either() == ["NoneType", None]
    assert proxy.anything({"a": [1, None, "x"]}) == {"a": [1, None, "x"]}
    assert proxy.inherited() == "base"
    assert proxy.overridden() == "workshop"


def test_arrays_and_messages_arrive_as_such(proxy: Any) -> None:
    scaled = proxy.scale(numpy.array([[1.5, 2.0]], numpy.float32), 2.0)
    assert scaled.dtype == numpy.float32
    assert scaled.tolist() == [[3.0, 4.0]]
    assert proxy.scale([1, 2], 2).tolist() == [2.0, 4.0]
    pose = Pose()
    pose.position.x = 1.0
    assert proxy.mirror(pose).position.x == -1.0
    assert pose.position.x == 1.0, "the caller's own message was changed"
    assert proxy.mirror({"position": {"x": 2}}).position.x == -2.0
    assert proxy.either(pose) == ["Pose", pose]
    assert proxy.anything([pose]) == [pose]


def test_a_large_image_comes_back_whole(proxy: Any) -> None:
    data = numpy.random.default_rng(0).integers(0, 256, 1920 * 1080 * 3, numpy.uint8)
    image = Image(width=1920, height=1080, data=array.array("B", data.tobytes()))
    assert proxy.image(image) == image


def test_caller_and_module_share_no_mutable_object(proxy: Any, workshop: Any) -> None:
    values = [1, 2, 3]
    returned = proxy.keep(values)
    returned.append(4)
    values.append(5)
    assert workshop.kept == [1, 2, 3]


# --------------------------------------------------------------------------------------------------------- errors


def test_what_the_method_raises_arrives_with_type_message_and_traceback(proxy: Any, workshop: Any) -> None:
    with pytest.raises(RemoteError, match=r"/workshop: fail\(\) raised ValueError: not \\ud800today") as caught:
        proxy.fail("not \\ud800today")
    error = caught.value
    assert (error.remote_type, error.remote_message) == ("ValueError", "not \\ud800today")
    assert "calls_modules.py" in error.remote_traceback
    assert "raise ValueError(text)" in error.remote_traceback
    assert "calls/server.py" not in error.remote_traceback, "it tells of the package's own code"
    host = workshop._host
    assert (host.errors if isinstance(host, LoggingHost) else len(host.heard)) == 1


@pytest.mark.parametrize(("method", "kind"), [("recurse", "RecursionError"), ("leave", "SystemExit")])
def test_even_what_would_end_a_thread_is_an_answer(proxy: Any, method: str, kind: str) -> None:
    with pytest.raises(RemoteError) as caught:
        getattr(proxy, method)()
    assert caught.value.remote_type == kind
    assert proxy.add(1) == 2


def test_an_error_of_a_call_within_the_method_is_an_error_of_the_method(world: World, workshop: Any) -> None:
    class Broken(Module):
        workshop: Workshop

        @rpc
        def ask(self) -> None:
            self.workshop.fail("inside")

    world.add(Broken, workshop="/workshop")
    with pytest.raises(RemoteError) as caught:
        world.proxy("/broken", Broken).ask()
    assert caught.value.remote_type == "RemoteError"
    assert "fail() raised ValueError: inside" in caught.value.remote_message


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (lambda p: p.add(), r"add\(\) needs a"),
        (lambda p: p.add(1, 2, 3), r"takes 2 arguments by position, but 3 were given; its arguments: a, b"),
        (lambda p: p.add(1, c=3), r"add\(\) has no argument 'c'; its arguments: a, b"),
        (lambda p: p.add(1, a=1), r"add\(\) got the argument 'a' twice"),
        (lambda p: p.add("x"), r"a: takes an integer, not 'x'"),
        (lambda p: p.mirror({"positon": 1}), "Pose has no field 'positon'; it has position, orientation"),
        (lambda p: p.scale([[1], [1, 2]], 1.0), "array: "),
        (lambda p: p.add(threading.Lock()), "has no JSON form"),
        (lambda p: p.add("\ud800"), "has no JSON form|a: takes an integer"),
        (lambda p: p.wrong_result(), r"result of wrong_result\(\): takes an integer, not 'no number'"),
        (lambda p: p.unsendable(), r"/workshop: unsendable\(\): lock has no JSON form"),
    ],
)
def test_what_does_not_fit_is_an_argument_error(proxy: Any, call: Any, expected: str) -> None:
    with pytest.raises(ArgumentError, match=expected):
        call(proxy)
    assert proxy.add(1) == 2


def test_an_unknown_method_is_an_error_before_anything_is_sent(world: World) -> None:
    proxy = world.proxy("/nobody", Workshop)
    started = time.monotonic()
    with pytest.raises(UnknownMethodError, match="has no call 'ad'; it has add, ") as caught:
        proxy.ad(1)
    assert time.monotonic() - started < 0.1
    assert isinstance(caught.value, AttributeError)
    assert not hasattr(proxy, "not_a_call")
    assert not hasattr(world.proxy("/nobody", Adder), "mirror")
    assert proxy._target._caller is None, "it looked for the target"


@pytest.mark.parametrize(
    "name", ["_private", "__init__", "__class__", "not_a_call", "get_name", "gain", "destroy_node"]
)
def test_only_what_is_marked_can_be_called(world: World, workshop: Any, name: str) -> None:
    caller = ServiceCaller(world.node, Call, "/workshop/call")
    assert caller.wait_for_service(5.0)
    response = caller.call(Call.Request(method=name), 5.0)
    caller.close()
    assert (response.success, response.error_type) == (False, "UnknownMethodError")
    assert f"/workshop has no call '{name}'; it has " in response.error_message


def test_proxies_are_not_taken_for_what_they_are_not(proxy: Any) -> None:
    with pytest.raises(AttributeError):
        proxy.__len__()
    with pytest.raises(Exception, match="pickle"):
        pickle.dumps(proxy)
    assert repr(proxy) == "<Workshop /workshop>"
    assert repr(proxy.add) == "<call add of /workshop>"
    assert "add" in dir(proxy)


# --------------------------------------------------------------------------------------------- state and deadlines


def test_a_module_that_is_not_active_says_so(world: World, wait_for: Wait) -> None:
    workshop = world.add(Workshop, active=False)
    proxy = world.proxy("/workshop", Workshop)
    for step in (workshop.trigger_configure, workshop.trigger_activate):
        with pytest.raises(TargetInactiveError, match=r"/workshop is not active: add\(\) was not run"):
            proxy.add(1)
        step()
    assert proxy.add(1) == 2
    workshop.trigger_deactivate()
    with pytest.raises(TargetInactiveError):
        proxy.add(1)
    assert workshop.calls == 1


def test_a_target_that_does_not_exist_is_an_error_within_a_second(world: World, workshop: Any) -> None:
    proxy = world.proxy("/robot3/workshop", Workshop)
    started = time.monotonic()
    with pytest.raises(TargetNotFoundError, match=r"no Workshop runs as /robot3/workshop; .*: /workshop") as caught:
        proxy.add(1)
    assert 0.9 < time.monotonic() - started < 1.0
    assert isinstance(caught.value, LookupError)


def test_the_absent_timeout_is_a_parameter_of_the_calling_module(world: World) -> None:
    class Impatient(Module):
        workshop: Workshop

    module = world.add(Impatient, workshop="/nowhere/workshop", absent_timeout=0.05)
    started = time.monotonic()
    with pytest.raises(TargetNotFoundError):
        module.workshop.add(1)
    assert time.monotonic() - started < 0.5


def test_an_unloaded_target_is_an_error_within_a_second(world: World, workshop: Any, proxy: Any) -> None:
    assert proxy.add(1) == 2
    world.remove(workshop)
    started = time.monotonic()
    with pytest.raises(TargetNotFoundError, match="no Workshop runs as /workshop"):
        proxy.add(1)
    assert time.monotonic() - started < 1.0


def test_a_target_that_is_unloaded_during_the_call_ends_it(
    world: World, workshop: Any, proxy: Any, wait_for: Wait
) -> None:
    future = proxy.sleep.future(20.0)
    wait_for(lambda: workshop.asleep)
    started = time.monotonic()
    world.remove(workshop)
    with pytest.raises(TargetDiedError):
        future.result(5.0)
    assert time.monotonic() - started < 2.0
    workshop.go_on.set()


def test_a_target_that_comes_back_is_called_again(world: World, workshop: Any, proxy: Any) -> None:
    for _ in range(5):
        assert proxy.add(1) == 2
        world.remove(workshop)
        workshop = world.add(Workshop)
    assert proxy.add(1) == 2


def test_every_form_has_the_deadline_that_it_is_given(proxy: Any, workshop: Any) -> None:
    started = time.monotonic()
    with pytest.raises(CallTimeoutError, match=r"/workshop: sleep\(\) did not answer within 0\.1 s"):
        proxy.sleep.within(0.1)(5.0)
    with pytest.raises(CallTimeoutError):
        proxy.sleep.within(0.1).future(5.0).result(5.0)
    with pytest.raises(TimeoutError):
        asyncio.run(proxy.sleep.within(0.1).aio(5.0))
    assert time.monotonic() - started < 2.0
    assert proxy.sleep.within(5.0)(0.01) == 0.01
    workshop.go_on.set()


def test_the_default_deadline_is_a_parameter_of_the_calling_module(world: World, workshop: Any) -> None:
    class Impatient(Module):
        workshop: Workshop

    module = world.add(Impatient, workshop="/workshop", call_timeout=0.1)
    with pytest.raises(CallTimeoutError, match=r"within 0\.1 s"):
        module.workshop.sleep(5.0)
    module.call_timeout = 5.0
    assert module.workshop.sleep(0.2) == 0.2
    workshop.go_on.set()


def test_futures_and_asyncio_run_side_by_side(proxy: Any) -> None:
    started = time.monotonic()
    futures = [proxy.sleep.future(0.3) for _ in range(20)]
    assert [future.result(5.0) for future in futures] == [0.3] * 20

    async def gather() -> list[Any]:
        return await asyncio.gather(*(proxy.sleep.aio(0.3) for _ in range(20)), proxy.add.aio(1))

    assert asyncio.run(gather()) == [0.3] * 20 + [2]
    assert time.monotonic() - started < 3.0
    with pytest.raises(RemoteError):
        proxy.fail.future("x").result(5.0)


def test_a_hundred_callers_at_once_each_get_their_own_answer(proxy: Any) -> None:
    def call(number: int) -> bool:
        return all(proxy.add(number, n) == number + n for n in range(20))

    with ThreadPoolExecutor(100) as pool:
        assert all(pool.map(call, range(100)))


def test_a_closed_proxy_makes_no_call(world: World, workshop: Any) -> None:
    proxy = world.proxy("/workshop", Workshop)
    assert proxy.add(1) == 2
    future = proxy.sleep.future(0.5)
    close(proxy)
    with pytest.raises(CallError):
        for _ in range(2):  # inside the process, the call under way may still succeed
            future.result(5.0)
            proxy.add(1)


# ------------------------------------------------------------------------------------------- listing, other kinds


def test_a_person_asks_for_the_calls_with_an_empty_method_or_help(world: World, workshop: Any) -> None:
    caller = ServiceCaller(world.node, Call, "/workshop/call")
    assert caller.wait_for_service(5.0)
    for method in ("", "help"):
        listing = json.loads(caller.call(Call.Request(method=method), 5.0).result)
        assert listing["add"] == {"signature": "add(a: int, b: int = 1) -> int", "summary": "The sum."}
        assert listing["nothing"]["summary"] == "Do nothing."
        assert listing["ring"]["service"] == "/workshop/ring [std_srvs/srv/SetBool]"
        assert "not_a_call" not in listing
        assert "_private" not in listing
    caller.close()


def test_what_a_person_types_is_plain_json(world: World, workshop: Any) -> None:
    caller = ServiceCaller(world.node, Call, "/workshop/call")
    assert caller.wait_for_service(5.0)

    def call(method: str, arguments: str = "") -> str:
        response = caller.call(Call.Request(method=method, arguments=arguments), 5.0)
        assert response.success, response.error_message
        return str(response.result)

    assert call("add", "[1, 2]") == "3"
    assert call("add", ' {"a": 1} ') == "2"
    assert call("add", "[41]") == "42"
    assert call("nothing") == "null"
    assert json.loads(call("mirror", '{"pose": {"position": {"x": 1.5}}}'))["position"]["x"] == -1.5
    assert json.loads(call("scale", "[[1, 2], 2]")) == [2.0, 4.0]
    assert json.loads(call("part", '{"part": {"name": "a"}}')) == {"a": {"name": "a", "weight": 1.0, "mood": "calm"}}
    assert json.loads(call("ring", '{"data": true}')) == {"success": True, "message": "rung"}
    caller.close()


def test_a_proxy_of_unknown_class_asks_for_the_calls_first(world: World, workshop: Any) -> None:
    proxy = world.proxy("/workshop")
    assert proxy.add(1, b=2) == 3
    assert proxy.add(1) == 2
    assert proxy.mirror(Pose())["position"]["x"] == 0.0
    assert proxy.part({"name": "a"})["a"]["mood"] == "calm"
    with pytest.raises(UnknownMethodError, match="has no call 'ad'; it has add, "):
        proxy.ad(1)
    with pytest.raises(AttributeError, match="private"):
        proxy._private()
    with pytest.raises(ArgumentError, match=r"add\(\) needs a"):
        proxy.add()
    with pytest.raises(TargetNotFoundError, match="no module runs as /nobody"):
        world.proxy("/nobody").add(1)


def test_a_proxy_of_a_protocol_has_the_protocols_calls(world: World, workshop: Any) -> None:
    proxy = world.proxy("/workshop", Adder)
    assert proxy.add(1) == 2
    assert sorted(name for name in vars(proxy) if not name.startswith("_")) == ["add"]


def test_a_method_of_a_ros_service_is_served_as_that(world: World, workshop: Any, proxy: Any) -> None:
    ring = ServiceCaller(world.node, SetBool, "/workshop/ring")
    reset = ServiceCaller(world.node, Trigger, "/workshop/reset")
    assert ring.wait_for_service(5.0)
    assert reset.wait_for_service(5.0)
    assert ring.call(SetBool.Request(data=True), 5.0).message == "rung"
    assert workshop.bell
    assert reset.call(Trigger.Request(), 5.0).message == "workshop", "an override is not served as its base was"
    workshop.gain = -1.0
    failed = reset.call(Trigger.Request(), 5.0)
    assert (failed.success, failed.message) == (False, "ValueError: negative gain")
    workshop.trigger_deactivate()
    refused = ring.call(SetBool.Request(data=False), 5.0)
    assert not refused.success
    assert "/workshop is not active" in refused.message
    assert workshop.bell
    ring.close()
    reset.close()


def test_a_method_of_a_ros_service_is_called_by_proxies_too(proxy: Any) -> None:
    assert proxy.ring(True) == SetBool.Response(success=True, message="rung")
    assert proxy.ring(data=False).message == "quiet"
    assert proxy.ring(SetBool.Request(data=True)).message == "rung"
    assert proxy.reset().success
    with pytest.raises(ArgumentError, match="data: takes true or false"):
        proxy.ring(1)


def test_declarations_that_cannot_work_are_errors_where_they_are_written() -> None:
    with pytest.raises(DeclarationError, match="private"):

        class Private(Module):
            @rpc
            def _hidden(self) -> None: ...

    with pytest.raises(DeclarationError, match="arguments need names"):

        class Several(Module):
            @rpc
            def several(self, *values: int) -> None: ...

    with pytest.raises(DeclarationError, match="go by name"):

        class Positional(Module):
            @rpc
            def positional(self, a: int, /) -> None: ...

    with pytest.raises(DeclarationError, match="lists the calls"):

        class Help(Module):
            @rpc
            def help(self) -> None: ...

    with pytest.raises(DeclarationError, match="is a coroutine or generator; write a plain method"):

        class Asynchronous(Module):
            @rpc
            async def wait(self) -> None: ...

    with pytest.raises(DeclarationError, match="not a ROS service type"):
        rpc(int)
    with pytest.raises(DeclarationError, match="goes on a method"):
        rpc(5)


# ------------------------------------------------------------------------------------------------------ deadlocks


def test_calls_are_answered_wherever_they_are_made_in_one_executor_thread(world: World, wait_for: Wait) -> None:
    world.add(Workshop)
    customer = world.add(Customer, workshop="/workshop", adder="/workshop")
    orders = world.node.create_publisher(Int64, "/orders", 10)
    wait_for(lambda: orders.get_subscription_count())
    orders.publish(Int64(data=5))
    wait_for(lambda: customer.sources() == ["activate", "handler", "timer"])
    assert ("handler", 6) in customer.answers
    assert world.proxy("/customer", Customer).order(7) == 8
    assert customer.adder.add(1) == 2


def test_closing_leaves_no_thread(world: World, wait_for: Wait) -> None:
    def threads() -> list[str]:
        return [t.name for t in threading.enumerate() if t.name.startswith("calls ")]

    workshop = world.add(Workshop)
    proxy = world.proxy("/workshop", Workshop)
    assert proxy.add.future(1).result(5.0) == 2
    assert threads()
    world.remove(workshop)
    close(proxy)
    wait_for(lambda: not threads())


def test_rounds_of_modules_and_proxies_leave_no_thread_and_no_descriptor(world: World, wait_for: Wait) -> None:
    def descriptors() -> int:
        return sum(1 for _ in Path("/proc/self/fd").iterdir())

    def calls() -> list[str]:
        return [t.name for t in threading.enumerate() if t.name.startswith("calls ")]

    def round_trip() -> None:
        workshop = world.add(Workshop)
        proxy = world.proxy("/workshop", Workshop)
        assert proxy.add(1) == 2
        assert proxy.add.future(1).result(5.0) == 2
        world.remove(workshop)
        close(world.proxies.pop())

    round_trip()
    gc.collect()
    before = descriptors()
    for _ in range(15):
        round_trip()
    gc.collect()
    wait_for(lambda: not calls())
    assert descriptors() <= before + 2
    if world.directory is not None:
        assert (world.directory._servers, world.directory._watchers) == ({}, {})
