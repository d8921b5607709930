"""Known failures of containers, and harm that nodes do to each other, one test each.

The tests use composition_interfaces and standard ROS alone, so that any container can be tested with
``--container /its_name``.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any

import pytest

pytest.importorskip("rclpy", reason="needs rclpy")

from composition_interfaces.srv import UnloadNode
from container_client import ContainerClient
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from rcl_interfaces.msg import Log
from std_msgs.msg import String
from std_srvs.srv import SetBool, Trigger

ANSWER_SECONDS = 0.1
"""Seconds within which list and unload must answer, even while other requests run."""

UNLOAD_SECONDS = 8.0
"""Seconds within which a node that hangs must be unloaded."""


@pytest.fixture
def sibling(client: ContainerClient, wait_for: Any) -> Iterator[Any]:
    """A check that a second node runs without a pause while another node of the container misbehaves."""
    client.loaded("Talker", node_name="sibling", node_namespace="/beside")
    with client.heard(String, "/beside/chatter") as messages:
        wait_for(lambda: messages)

        def goes_on() -> None:
            before = len(messages)
            wait_for(lambda: len(messages) > before + 5, timeout=2.0)

        yield goes_on
        goes_on()


# ---------------------------------------------------------------------------------------------- others' failures


def test_unload_destroys_the_node_and_all_its_endpoints(client: ContainerClient, wait_for: Any) -> None:
    response = client.loaded("Ten", node_namespace="/r")
    counts = {
        **{f"/r/out{i}": client.node.count_publishers for i in range(3)},
        **{f"/r/in{i}": client.node.count_subscribers for i in range(3)},
        **{f"/r/service{i}": client.node.count_services for i in range(2)},
        "/r/service9": client.node.count_clients,
    }
    wait_for(lambda: all(count(name) == 1 for name, count in counts.items()))
    assert client.unload(response.unique_id).success
    wait_for(lambda: not any(count(name) for name, count in counts.items()))
    wait_for(lambda: not any(name.startswith("/r/") for name, _ in client.node.get_topic_names_and_types()))
    wait_for(lambda: [name for name, _ in client.node.get_service_names_and_types() if name.startswith("/r/")] == [])


def test_a_node_is_destroyed_under_load_without_an_error(client: ContainerClient, wait_for: Any) -> None:
    """The error would be InvalidHandle, if an executor still uses a handle that is destroyed."""
    with client.logs() as logs:
        for round_ in range(15):
            fields = {"node_name": f"busy{round_}", "parameters": {"period": 0.0005}}
            response = client.loaded("Talker", **fields)
            ping = client.client(Trigger, f"{response.full_node_name}/ping")
            for _ in range(20):
                client.send(ping, Trigger.Request())
            assert client.unload(response.unique_id).success
            client.node.destroy_client(ping)
        end = client.loaded("Unruly")
        client.publish(String, f"{end.full_node_name}/order", String(data="raise"))
        wait_for(lambda: any("unruly 1" in log.msg for log in logs))
        assert [log.msg for log in logs if log.level >= 40 and "busy" in log.name] == []


def test_list_and_unload_answer_while_a_constructor_sleeps(client: ContainerClient, wait_for: Any) -> None:
    others = [client.loaded("Talker", node_name=f"n{i}") for i in range(5)]
    slow = client.send(client.load_service, client.request("Slow", parameters={"delay": 3.0, "in_c": True}))
    listing = [_seconds(client.list) for _ in range(20)]
    unloading = [_seconds(lambda node=node: client.unload(node.unique_id)) for node in others]
    assert not slow.done()
    assert median(listing) < ANSWER_SECONDS
    assert median(unloading) < ANSWER_SECONDS
    wait_for(slow.done)
    assert slow.result().success


def test_two_constructors_run_at_once(client: ContainerClient, wait_for: Any) -> None:
    start = time.monotonic()
    futures = [
        client.send(client.load_service, client.request("Slow", node_name=f"slow{i}", parameters={"delay": 2.0}))
        for i in range(2)
    ]
    wait_for(lambda: all(future.done() for future in futures))
    assert time.monotonic() - start < 3.9
    assert all(future.result().success for future in futures)


def test_of_two_loads_of_one_name_at_once_one_is_refused(client: ContainerClient, wait_for: Any) -> None:
    fields = {"node_namespace": "/r", "parameters": {"delay": 0.5}}
    futures = [client.send(client.load_service, client.request("Slow", **fields)) for _ in range(3)]
    wait_for(lambda: all(future.done() for future in futures))
    answers = [future.result() for future in futures]
    assert sorted(answer.success for answer in answers) == [False, False, True]
    assert all("/r/slow" in answer.error_message for answer in answers if not answer.success)
    assert list(client.list().values()) == ["/r/slow"]


def test_forty_loads_at_once_from_four_clients_are_all_answered(client: ContainerClient, wait_for: Any) -> None:
    """With service queues of depth ten, requests would be dropped here."""
    clients = [ContainerClient(client.container, client.context.get_domain_id()) for _ in range(4)]
    try:
        futures = [
            each.send(each.load_service, each.request("Talker", node_namespace=f"/c{number}", node_name=f"n{i}"))
            for i in range(10)
            for number, each in enumerate(clients)
        ]
        wait_for(lambda: all(future.done() for future in futures), timeout=60.0)
        assert all(future.result().success for future in futures)
        assert len(client.list()) == 40
    finally:
        for each in clients:
            each.close()


def test_a_lost_reply_holds_up_no_later_load(client: ContainerClient, wait_for: Any) -> None:
    """The client leaves before its node is ready. The node is loaded all the same, and other clients are served."""
    impatient = ContainerClient(client.container, client.context.get_domain_id())
    impatient.send(impatient.load_service, impatient.request("Slow", parameters={"delay": 1.0}))
    wait_for(lambda: "/slow" in client.nodes(), what="the constructor has begun")
    impatient.close()
    assert client.loaded("Talker").full_node_name == "/talker"
    wait_for(lambda: "/slow" in client.list().values())
    (unique_id,) = (number for number, name in client.list().items() if name == "/slow")
    assert client.unload(unique_id).success


def test_a_load_can_be_repeated_without_harm(client: ContainerClient) -> None:
    """A client that lost the reply asks again. The answer says that the node runs, and gives its name and id."""
    first = client.loaded("Talker", node_namespace="/r")
    again = client.load("Talker", node_namespace="/r")
    assert not again.success
    assert "/r/talker" in again.error_message and str(first.unique_id) in again.error_message
    assert client.list() == {first.unique_id: "/r/talker"}


def test_unloads_of_one_node_at_once_do_not_get_in_each_others_way(client: ContainerClient, wait_for: Any) -> None:
    response = client.loaded("Talker")
    request = UnloadNode.Request(unique_id=response.unique_id)
    futures = [client.send(client.unload_service, request) for _ in range(5)]
    wait_for(lambda: all(future.done() for future in futures))
    assert any(future.result().success for future in futures)
    assert client.list() == {}


@pytest.mark.parametrize("hang_in", ["", "deactivate", "cleanup"])
def test_a_managed_node_is_deactivated_cleaned_up_and_destroyed_when_unloaded(
    client: ContainerClient, tmp_path: Path, hang_in: str
) -> None:
    record = tmp_path / "record"
    response = client.loaded("Managed", parameters={"record": str(record), "hang_in": hang_in})
    change = client.client(ChangeState, "/managed/change_state")
    for transition in (Transition.TRANSITION_CONFIGURE, Transition.TRANSITION_ACTIVATE):
        assert client.call(change, ChangeState.Request(transition=Transition(id=transition))).success
    start = time.monotonic()
    answer = client.unload(response.unique_id)
    assert answer.success
    assert time.monotonic() - start < UNLOAD_SECONDS
    called = record.read_text().split()
    assert called[:3] == ["configure", "activate", "deactivate"]
    assert called[-1] == "destroy"
    assert ("lifecycle" in answer.error_message) == bool(hang_in)
    assert client.list() == {}


# -------------------------------------------------------------------------------------------- nodes that misbehave


def test_a_callback_that_raises_is_logged_with_the_nodes_name_and_the_node_goes_on(
    client: ContainerClient, sibling: Any, wait_for: Any
) -> None:
    name = client.loaded("Unruly", node_namespace="/r").full_node_name
    with client.logs() as logs:
        for _ in range(3):
            client.publish(String, f"{name}/order", String(data="raise"))
        wait_for(lambda: len([log for log in _errors(logs, "r.unruly") if "told" not in log.msg]) >= 3)
        assert "unruly 1" in _errors(logs, "r.unruly")[0].msg
    assert client.parameters(name, "obeyed") == [3]


@pytest.mark.parametrize(
    "how", ["raise", "exit", "shutdown", "shutdown_own", "timer raise", "timer exit", "async raise", "async exit"]
)
def test_an_error_exit_or_shutdown_in_a_callback_is_logged_and_ends_no_other_node(
    client: ContainerClient, sibling: Any, wait_for: Any, how: str
) -> None:
    name = client.loaded("Unruly", node_namespace="/r").full_node_name
    with client.logs() as logs:
        client.publish(String, f"{name}/order", String(data=how))
        wait_for(lambda: _errors(logs, "r.unruly"))
    sibling()
    wait_for(lambda: client.parameters(name, "obeyed") >= [1])


@pytest.mark.parametrize("how", ["fail_if", "forget_if"])
def test_a_batch_is_worked_off_to_its_end_when_its_first_callbacks_fail(
    client: ContainerClient, wait_for: Any, how: str
) -> None:
    name = client.loaded("Unruly", node_namespace="/r").full_node_name
    service = client.client(SetBool, f"{name}/{how}")
    with client.logs() as logs:
        failing = [client.send(service, SetBool.Request(data=True)) for _ in range(5)]
        good = [client.send(service, SetBool.Request(data=False)) for _ in range(5)]
        wait_for(lambda: all(future.done() for future in good))
        wait_for(lambda: len(_errors(logs, "r.unruly")) >= 5)
    assert all(future.result().success for future in good)
    # As with any rclpy node, a callback that raised or returned None sends no answer.
    assert not any(future.done() for future in failing)


@pytest.mark.parametrize("how", ["fork", "fork_exit"])
def test_a_fork_that_returns_into_the_container_ends_and_the_node_goes_on(
    client: ContainerClient, sibling: Any, wait_for: Any, how: str
) -> None:
    name = client.loaded("Unruly", node_namespace="/r").full_node_name
    for _ in range(3):
        client.publish(String, f"{name}/order", String(data=how))
    wait_for(lambda: client.parameters(name, "obeyed") == [3])
    sibling()
    assert len(client.list()) == 2


@pytest.mark.parametrize("how", ["raise", "exit", "interrupt"])
def test_a_constructor_that_fails_leaves_nothing_behind(
    client: ContainerClient, sibling: Any, wait_for: Any, how: str
) -> None:
    response = client.load("HalfMade", node_namespace="/r", parameters={"how": how})
    assert not response.success
    assert response.error_message.startswith("Component constructor threw an exception: ")
    assert list(client.list().values()) == ["/beside/sibling"]
    wait_for(lambda: "/r/half_made" not in client.nodes())
    wait_for(lambda: client.node.count_publishers("/r/half_made_topic") == 0)
    wait_for(lambda: client.node.count_services("/r/half_made_service") == 0)


def test_a_constructor_that_forks_is_one_node(client: ContainerClient, sibling: Any) -> None:
    client.loaded("HalfMade", parameters={"how": "fork"})
    assert len(client.list()) == 2


@pytest.mark.parametrize("how", ["hang", "loop", "hang_in_c"])
def test_unload_of_a_node_that_hangs_returns_and_says_what_it_did(
    client: ContainerClient, sibling: Any, wait_for: Any, how: str
) -> None:
    response = client.loaded("Unruly", node_namespace="/r")
    client.publish(String, "/r/unruly/order", String(data=how))
    sibling()
    start = time.monotonic()
    answer = client.unload(response.unique_id)
    assert time.monotonic() - start < UNLOAD_SECONDS
    assert answer.success
    assert "on_order" in answer.error_message  # the callback that did not return
    assert list(client.list().values()) == ["/beside/sibling"]
    sibling()
    # The name can be used again at once, so that an operator can replace the node.
    assert client.loaded("Talker", node_name="unruly", node_namespace="/r").success


def test_list_answers_while_a_node_that_hangs_is_unloaded(client: ContainerClient, wait_for: Any) -> None:
    response = client.loaded("Unruly")
    client.publish(String, "/unruly/order", String(data="hang_in_c"))
    unload = client.send(client.unload_service, UnloadNode.Request(unique_id=response.unique_id))
    listing = []
    while not unload.done():
        listing.append(_seconds(client.list))
    assert median(listing) < ANSWER_SECONDS
    assert unload.result().success


@pytest.mark.parametrize("how", ["raise", "exit", "hang", "hang_in_c", "fork"])
def test_a_destructor_that_misbehaves_leaves_nothing_of_the_node(
    client: ContainerClient, sibling: Any, wait_for: Any, how: str
) -> None:
    response = client.loaded("Unruly", node_namespace=f"/{how}")
    client.publish(String, f"/{how}/unruly/order", String(data=f"destructor {how}"))
    start = time.monotonic()
    assert client.unload(response.unique_id).success
    assert time.monotonic() - start < UNLOAD_SECONDS
    assert list(client.list().values()) == ["/beside/sibling"]
    wait_for(lambda: client.node.count_services(f"/{how}/unruly/fail_if") == 0)


def test_nodes_with_threads_of_their_own_end_with_them(client: ContainerClient, wait_for: Any) -> None:
    """Loops over rclpy.ok() and rates run while their node runs, and end when it is unloaded."""
    response = client.loaded("Threaded", node_namespace="/r")
    other = client.loaded("Threaded", node_namespace="/s")
    with client.heard(String, "/r/beats") as beats, client.heard(String, "/s/beats") as others:
        wait_for(lambda: len(beats) > 3)
        assert client.unload(response.unique_id).success
        before = len(others)
        wait_for(lambda: len(others) > before + 3)
    assert client.unload(other.unique_id).success


def test_nodes_may_spin_in_their_constructors_and_callbacks(client: ContainerClient, wait_for: Any) -> None:
    """Several nodes spin at once, although rclpy's one global executor can only spin one at a time."""
    client.loaded("Talker", node_name="asked")
    requests = [client.request("Asking", node_name=f"asking{i}", node_namespace=f"/r{i}") for i in range(4)]
    futures = [client.send(client.load_service, request) for request in requests]
    wait_for(lambda: all(future.done() for future in futures))
    assert [future.result().error_message for future in futures] == [""] * 4
    for i in range(4):
        with client.heard(String, f"/r{i}/answers") as messages:
            wait_for(lambda messages=messages: len(messages) > 3)


def test_a_node_that_a_node_makes_beside_itself_keeps_its_own_name(client: ContainerClient, wait_for: Any) -> None:
    """It must not get the name that the container's command line gives to all nodes of its process."""
    response = client.loaded("WithHelper", node_name="renamed", node_namespace="/r")
    assert response.full_node_name == "/r/renamed"
    wait_for(lambda: "/helper" in client.nodes())
    assert client.unload(response.unique_id).success
    wait_for(lambda: "/helper" not in client.nodes())


def test_a_node_that_destroys_itself_is_unloaded_as_any_other(
    client: ContainerClient, sibling: Any, wait_for: Any
) -> None:
    response = client.loaded("Unruly", node_namespace="/r")
    client.publish_unacknowledged(String, "/r/unruly/order", String(data="destroy"))
    wait_for(lambda: client.node.count_services("/r/unruly/fail_if") == 0, timeout=30.0)
    assert client.unload(response.unique_id).success
    assert list(client.list().values()) == ["/beside/sibling"]


def test_two_hundred_nodes_run_in_one_container(client: ContainerClient, wait_for: Any) -> None:
    count = 200
    bare = {"start_parameter_services": False, "enable_rosout": False}
    done = threading.Semaphore(0)
    futures = []
    for i in range(count):
        request = client.request("Talker", node_name=f"n{i}", parameters={"period": 1.0}, extra_arguments=bare)
        futures.append(client.send(client.load_service, request))
        futures[-1].add_done_callback(lambda _: done.release())
    for _ in range(count):
        assert done.acquire(timeout=60.0)
    assert all(future.result().success for future in futures)
    listed = client.list()
    assert len(listed) == count and list(listed) == sorted(listed)
    ping = client.client(Trigger, "/n199/ping")
    assert client.call(ping, Trigger.Request()).success


def _seconds(call: Callable[[], Any]) -> float:
    """Return the duration of a call. The tests compare the median, because a busy machine delays single calls."""
    start = time.monotonic()
    call()
    return time.monotonic() - start


def _errors(logs: list[Log], name: str) -> list[Log]:
    return [log for log in logs if log.level >= 40 and log.name == name]
