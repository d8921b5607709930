"""The service and the client that calls use: they block no executor, end in every case, and leave nothing behind."""

from __future__ import annotations

import gc
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("rclpy", reason="needs rclpy")

from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from std_srvs.srv import SetBool, Trigger
from test_msgs.srv import BasicTypes

from dimos_ros.processes.process_identity import ProcessWatch, own_identity
from dimos_ros.processes.threads import CachedThreads
from dimos_ros.ros.concurrent_service import ConcurrentService
from dimos_ros.ros.service_caller import ServiceCaller

Wait = Callable[..., Any]
BARE: dict[str, Any] = {"enable_rosout": False, "start_parameter_services": False}


@pytest.fixture
def node(context: Any) -> Iterator[Node]:
    node = Node("both", context=context, **BARE)
    yield node
    node.destroy_node()


@pytest.fixture
def serve(node: Node) -> Iterator[Callable[..., tuple[ConcurrentService, ServiceCaller]]]:
    """Serve a callback; return the service and a caller that has found it."""
    made: list[Any] = []

    def pair(callback: Callable[[Any], Any], srv_type: Any = BasicTypes, **options: Any) -> Any:
        service = ConcurrentService(node, srv_type, f"~/service{len(made)}", callback, **options)
        caller = ServiceCaller(node, srv_type, service.name)
        made.extend([service, caller])
        assert caller.wait_for_service(5.0)
        return service, caller

    yield pair
    for one in made:
        one.close()


def add_one(request: Any) -> Any:
    return BasicTypes.Response(int64_value=request.int64_value + 1)


def test_a_callback_that_blocks_delays_no_other(serve: Any) -> None:
    blocked, go_on = threading.Event(), threading.Event()

    def callback(request: Any) -> Any:
        if request.int64_value < 0:
            blocked.set()
            assert go_on.wait(10.0)
        return add_one(request)

    _, caller = serve(callback)
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(caller.call, BasicTypes.Request(int64_value=-5), 10.0)
        assert blocked.wait(5.0)
        for number in range(20):
            assert caller.call(BasicTypes.Request(int64_value=number), 5.0).int64_value == number + 1
        assert not slow.done()
        go_on.set()
        assert slow.result(5.0).int64_value == -4


def test_a_hundred_threads_share_one_client_and_each_gets_its_own_answer(serve: Any) -> None:
    _, caller = serve(add_one)

    def call(number: int) -> bool:
        return all(
            caller.call(BasicTypes.Request(int64_value=n), 10.0).int64_value == n + 1
            for n in range(number * 1000, number * 1000 + 20)
        )

    with ThreadPoolExecutor(100) as pool:
        assert all(pool.map(call, range(100)))
    assert caller._pending == {}


def test_a_call_from_a_callback_of_the_only_executor_thread_is_answered(context: Any, node: Node, serve: Any) -> None:
    _, caller = serve(add_one)
    answers: list[int] = []
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(node)
    timer = node.create_timer(
        0.001, lambda: answers.append(caller.call(BasicTypes.Request(int64_value=1), 5.0).int64_value)
    )
    while len(answers) < 5:
        executor.spin_once(timeout_sec=5.0)
    node.destroy_timer(timer)
    executor.shutdown()
    assert set(answers) == {2}


@pytest.mark.parametrize("error", [ValueError("no"), SystemExit(3), KeyboardInterrupt()])
def test_whatever_the_callback_raises_the_client_gets_an_answer(serve: Any, error: BaseException) -> None:
    def callback(request: Any) -> Any:
        raise error

    _, caller = serve(callback, SetBool, on_error=lambda e: SetBool.Response(message=type(e).__name__))
    for _ in range(3):
        assert caller.call(SetBool.Request(), 5.0).message == type(error).__name__


def test_a_response_of_the_wrong_type_is_an_error_and_leaves_the_service_up(serve: Any) -> None:
    answers: list[Any] = [Trigger.Response(), None, SetBool.Response(success=True)]
    _, caller = serve(lambda request: answers.pop(0), SetBool, on_error=lambda e: SetBool.Response(message=str(e)))
    assert caller.call(SetBool.Request(), 5.0).message == "the answer is a Trigger_Response, not a SetBool_Response"
    assert caller.call(SetBool.Request(), 5.0).message == "the answer is a NoneType, not a SetBool_Response"
    assert caller.call(SetBool.Request(), 5.0).success


@pytest.mark.parametrize("disturb", ["warnings.resetwarnings()", "warnings.simplefilter('ignore')"])
def test_a_response_to_a_half_discovered_client_is_retried_and_delays_no_other_call(domain: int, disturb: str) -> None:
    """The program's own settings of warnings make no difference."""
    program = """
import threading, time, warnings
import rclpy
from rclpy.qos import DurabilityPolicy, QoSProfile
from test_msgs.srv import BasicTypes
from dimos_ros.ros import responses
from dimos_ros.ros.concurrent_service import ConcurrentService
from dimos_ros.ros.service_caller import ServiceCaller

responses.SECONDS = 0.5
rclpy.init()
node = rclpy.create_node("both")
arrived = threading.Event()

def answer(request):
    if request.int64_value == 1:
        arrived.set()
    return BasicTypes.Response(int64_value=request.int64_value + 1)

service = ConcurrentService(node, BasicTypes, "~/service", answer)
DISTURB
# The client sends requests that the service accepts, but wants responses with more than the service offers.
late = QoSProfile(depth=10, durability=DurabilityPolicy.TRANSIENT_LOCAL)
half = node.create_client(BasicTypes, service.name, qos_profile=late)
while not arrived.wait(0.05):
    half.call_async(BasicTypes.Request(int64_value=1))
caller = ServiceCaller(node, BasicTypes, service.name)
assert caller.wait_for_service(5.0)
started = time.monotonic()
assert caller.call(BasicTypes.Request(int64_value=2), 5.0).int64_value == 3
assert time.monotonic() - started < 0.4
time.sleep(1.0)  # long enough for the service to give up
"""
    program = program.replace("DISTURB", disturb)
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert ended.returncode == 0, ended.stderr
    assert "/both/service: the answer was not sent: the client could not be reached for 0.5 s" in ended.stderr


def test_every_one_of_many_processes_that_start_at_once_gets_its_answer(serve: Any) -> None:
    service, _ = serve(lambda request: Trigger.Response(success=True, message="here"), Trigger)
    ask = f"""
import rclpy
from std_srvs.srv import Trigger

rclpy.init()
node = rclpy.create_node("asker")
client = node.create_client(Trigger, {service.name!r})
assert client.wait_for_service(20.0)
answer = client.call_async(Trigger.Request())
rclpy.spin_until_future_complete(node, answer, timeout_sec=15.0)
print(answer.result().message)
"""
    with ThreadPoolExecutor(8) as threads:
        run = [
            threads.submit(subprocess.run, [sys.executable, "-c", ask], capture_output=True, text=True, timeout=60)
            for _ in range(40)
        ]
    assert [one.result().stdout for one in run] == ["here\n"] * 40, [one.result().stderr for one in run]


def test_the_deadline_ends_a_call_and_a_late_answer_disturbs_no_other(serve: Any) -> None:
    go_on = threading.Event()

    def callback(request: Any) -> Any:
        if request.int64_value == 1:
            go_on.wait(10.0)
        return add_one(request)

    _, caller = serve(callback)
    started = time.monotonic()
    with pytest.raises(TimeoutError, match=r"no answer within 0\.1 s"):
        caller.call(BasicTypes.Request(int64_value=1), 0.1)
    assert time.monotonic() - started < 1.0
    go_on.set()
    for number in range(5, 10):
        assert caller.call(BasicTypes.Request(int64_value=number), 5.0).int64_value == number + 1


def waiting_calls(caller: ServiceCaller, count: int, pool: ThreadPoolExecutor, wait_for: Wait) -> list[Any]:
    futures = [pool.submit(caller.call, BasicTypes.Request(), 30.0) for _ in range(count)]
    wait_for(lambda: len(caller._pending) == count)
    return futures


def ended(futures: list[Any], expected: str) -> None:
    for future in futures:
        with pytest.raises(ConnectionError, match=expected):
            future.result(3.0)


def test_closing_the_client_ends_all_its_calls(serve: Any, wait_for: Wait) -> None:
    go_on = threading.Event()
    _, caller = serve(lambda request: go_on.wait(20.0) and add_one(request))
    with ThreadPoolExecutor(5) as pool:
        futures = waiting_calls(caller, 5, pool, wait_for)
        caller.close()
        ended(futures, "the client was closed")
        with pytest.raises(ConnectionError, match="the client was closed"):
            caller.call(BasicTypes.Request(), 5.0)
        go_on.set()


def test_failing_the_calls_ends_the_calls_under_way_and_no_later_one(serve: Any, wait_for: Wait) -> None:
    go_on = threading.Event()
    _, caller = serve(lambda request: go_on.wait(20.0) and add_one(request))
    with ThreadPoolExecutor(5) as pool:
        futures = waiting_calls(caller, 5, pool, wait_for)
        caller.fail(ConnectionError("it is gone"))
        ended(futures, "it is gone")
    go_on.set()
    assert caller.call(BasicTypes.Request(int64_value=1), 5.0).int64_value == 2


def test_a_server_that_closes_during_calls_ends_them_within_two_seconds(serve: Any, wait_for: Wait) -> None:
    go_on = threading.Event()
    service, caller = serve(lambda request: go_on.wait(20.0) and add_one(request))
    with ThreadPoolExecutor(3) as pool:
        futures = waiting_calls(caller, 3, pool, wait_for)
        service.close()
        started = time.monotonic()
        ended(futures, "the server left the graph")
        assert time.monotonic() - started < 2.0
        go_on.set()


def test_the_check_that_a_call_is_given_ends_it(serve: Any) -> None:
    go_on = threading.Event()
    _, caller = serve(lambda request: go_on.wait(20.0) and add_one(request))

    def check() -> None:
        raise ConnectionError("its process ended")

    with pytest.raises(ConnectionError, match="its process ended"):
        caller.call(BasicTypes.Request(), 10.0, check)
    go_on.set()


def test_shutting_the_context_down_ends_calls_and_serving(context: Any, serve: Any, wait_for: Wait) -> None:
    go_on = threading.Event()
    service, caller = serve(lambda request: go_on.wait(20.0) and add_one(request))
    with ThreadPoolExecutor(3) as pool:
        futures = waiting_calls(caller, 3, pool, wait_for)
        context.shutdown()
        ended(futures, "context was shut down")
        assert service._left.wait(3.0)
        go_on.set()
    assert not caller.is_ready
    with pytest.raises(ConnectionError, match="context was shut down"):
        caller.call(BasicTypes.Request(), 5.0)


def service_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("service ")]


def descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def test_creating_and_closing_leaves_no_thread_descriptor_or_service(context: Any, node: Node, wait_for: Wait) -> None:
    def round_trip() -> None:
        service = ConcurrentService(node, BasicTypes, "~/again", add_one)
        caller = ServiceCaller(node, BasicTypes, service.name)
        assert caller.wait_for_service(5.0)
        assert caller.call(BasicTypes.Request(int64_value=1), 5.0).int64_value == 2
        service.close()
        caller.close()

    round_trip()
    gc.collect()
    wait_for(lambda: not service_threads())
    before = descriptors()
    for _ in range(60):
        round_trip()
    wait_for(lambda: not service_threads())
    gc.collect()
    assert descriptors() <= before + 2
    wait_for(lambda: not any("again" in name for name, _ in node.get_service_names_and_types()))
    assert not [watch for watch in context._callbacks if "Service" in repr(watch())]


def test_closing_while_calls_arrive_breaks_nothing(context: Any, node: Node) -> None:
    """Requests that come while the service is being destroyed are answered, refused or run into their deadline."""
    for _ in range(15):
        service = ConcurrentService(node, BasicTypes, "~/closing", add_one)
        caller = ServiceCaller(node, BasicTypes, service.name)
        assert caller.wait_for_service(5.0)
        stop = threading.Event()

        def call(caller: ServiceCaller = caller, stop: threading.Event = stop) -> None:
            while not stop.is_set():
                try:
                    caller.call(BasicTypes.Request(), 0.05)
                except (TimeoutError, ConnectionError):
                    continue

        threads = [threading.Thread(target=call) for _ in range(4)]
        for thread in threads:
            thread.start()
        caller.call(BasicTypes.Request(), 5.0)
        service.close()
        stop.set()
        for thread in threads:
            thread.join(5.0)
            assert not thread.is_alive()
        caller.close()


@pytest.mark.parametrize("ending", ["", "context.shutdown()"])
def test_a_process_that_closes_nothing_ends_in_order(domain: int, ending: str) -> None:
    program = f"""
import threading
from rclpy.context import Context
from rclpy.node import Node
from std_srvs.srv import Trigger
from dimos_ros.ros.concurrent_service import ConcurrentService
from dimos_ros.ros.service_caller import ServiceCaller

context = Context()
context.init()
node = Node("careless", context=context)
under_way = threading.Event()

def sleep(request):
    under_way.set()
    threading.Event().wait()

service = ConcurrentService(node, Trigger, "~/sleep", sleep)
caller = ServiceCaller(node, Trigger, service.name)
assert caller.wait_for_service(5.0)
threading.Thread(target=caller.call, args=(Trigger.Request(), 60.0), daemon=True).start()
assert under_way.wait(5.0)
{ending}
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=False)
    assert ended.returncode == 0, ended.stderr


def switches(thread: threading.Thread) -> int:
    """Return how often a thread has got the processor."""
    lines = Path(f"/proc/self/task/{thread.native_id}/status").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if "ctxt_switches" in line)


def test_an_idle_service_costs_one_thread_that_never_wakes(node: Node, wait_for: Wait) -> None:
    services = [ConcurrentService(node, BasicTypes, f"~/idle{n}", add_one) for n in range(20)]
    threads = service_threads()
    assert len(threads) == 20

    def settled() -> bool:
        before = [switches(t) for t in threads]
        time.sleep(0.3)  # the time span that is measured, not a wait
        return before == [switches(t) for t in threads]

    wait_for(settled, timeout=5.0)
    for service in services:
        service.close()
    wait_for(lambda: not [t for t in threads if t.is_alive()])


def test_threads_are_reused_and_end(wait_for: Wait) -> None:
    pool = CachedThreads("reused", idle_seconds=0.05)
    used: list[int] = []
    for _ in range(5):
        done = threading.Event()
        pool.submit(lambda done=done: (used.append(threading.get_ident()), done.set()))
        assert done.wait(5.0)
        wait_for(lambda: pool._idle)
    assert len(set(used)) == 1
    wait_for(lambda: not [t for t in threading.enumerate() if t.name == "reused"])
    pool.submit(lambda: None)
    pool.close()
    wait_for(lambda: not [t for t in threading.enumerate() if t.name == "reused"])


def test_a_process_is_known_to_have_ended_only_where_its_id_means_it() -> None:
    assert not ProcessWatch(own_identity()).has_ended
    program = (
        "import json; from dimos_ros.processes.process_identity import own_identity; print(json.dumps(own_identity()))"
    )
    child = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    identity = json.loads(child.stdout)
    assert ProcessWatch(identity).has_ended
    assert not ProcessWatch({**identity, "machine": "another"}).has_ended
    assert not ProcessWatch({}).has_ended
    assert ProcessWatch({**own_identity(), "start": "1"}).has_ended, "the id was given to another process"
