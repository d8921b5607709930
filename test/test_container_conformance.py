"""The duties of a component container, one test each. Any container can be tested: ``--container /its_name``.

The tests load classes of container_nodes, from a package of the same name. They are registered as
``container_nodes::Talker`` and so on. The tests use composition_interfaces and standard ROS alone.
"""

from __future__ import annotations

import signal
import time
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("rclpy", reason="needs rclpy")

from composition_interfaces.srv import ListNodes, LoadNode, UnloadNode
from container_client import PACKAGE, ContainerClient, ContainerProcess
from rcl_interfaces.srv import GetLoggerLevels
from std_msgs.msg import String

SERVICES = {
    "load_node": "composition_interfaces/srv/LoadNode",
    "unload_node": "composition_interfaces/srv/UnloadNode",
    "list_nodes": "composition_interfaces/srv/ListNodes",
}
DEBUG = 10


# ------------------------------------------------------------------------------------------------- services


def test_a_container_is_known_by_its_three_services(client: ContainerClient, wait_for: Any) -> None:
    def found() -> bool:
        services = client.services_of(client.container)
        return all(services.get(f"{client.container}/_container/{s}") == [t] for s, t in SERVICES.items())

    wait_for(found)


def test_a_burst_of_requests_is_answered_to_the_last(client: ContainerClient, wait_for: Any) -> None:
    futures = [client.send(client.list_service, ListNodes.Request()) for _ in range(150)]
    wait_for(lambda: all(future.done() for future in futures), timeout=30.0)


# ------------------------------------------------------------------------------------------ names and remaps


def test_without_a_name_the_class_gives_name_and_namespace(client: ContainerClient) -> None:
    assert client.loaded("Talker").full_node_name == "/talker"
    assert client.loaded("Rooted").full_node_name == "/of_the_class/rooted"


def test_name_and_namespace_of_the_request_win_over_the_class(client: ContainerClient, wait_for: Any) -> None:
    response = client.loaded("Rooted", node_name="renamed", node_namespace="/fleet/robot1")
    assert response.full_node_name == "/fleet/robot1/renamed"
    wait_for(lambda: "/fleet/robot1/renamed" in client.nodes())


def test_remap_rules_apply_first_to_last_and_before_the_name(client: ContainerClient, wait_for: Any) -> None:
    response = client.loaded(
        "Talker", node_name="later", node_namespace="/r", remap_rules=["chatter:=a", "chatter:=b", "__node:=first"]
    )
    assert response.full_node_name == "/r/first"
    wait_for(lambda: client.node.count_publishers("/r/a") == 1)
    assert client.node.count_publishers("/r/b") == 0
    assert client.node.count_publishers("/r/chatter") == 0


def test_a_remap_rule_to_an_absolute_name_leaves_the_namespace(client: ContainerClient, wait_for: Any) -> None:
    client.loaded("Talker", node_namespace="/r", remap_rules=["chatter:=/everyone"])
    wait_for(lambda: client.node.count_publishers("/everyone") == 1)


def test_a_malformed_remap_rule_fails_only_its_own_load(client: ContainerClient) -> None:
    response = client.load("Talker", remap_rules=["this is no rule"])
    assert not response.success and "this is no rule" in response.error_message
    assert client.loaded("Talker").full_node_name == "/talker"


# ------------------------------------------------------------------------------------------------ parameters


def test_parameters_of_every_type_are_there_while_the_constructor_runs(client: ContainerClient) -> None:
    values = {
        "a_bool": True,
        "an_int": 7,
        "a_double": 2.0,
        "a_string": "x",
        "bytes": [b"\x01", b"\xff"],
        "bools": [True, False],
        "ints": [1, 2],
        "doubles": [1.0, 0.5],
        "strings": ["a", ""],
    }
    name = client.loaded("Witness", parameters=values).full_node_name
    (seen,) = client.parameters(name, "seen")
    assert list(seen)[1:] == [
        "a_bool: BOOL",
        "an_int: INTEGER",
        "a_double: DOUBLE",
        "a_string: STRING",
        "bytes: BYTE_ARRAY",
        "bools: BOOL_ARRAY",
        "ints: INTEGER_ARRAY",
        "doubles: DOUBLE_ARRAY",
        "strings: STRING_ARRAY",
    ]
    found = client.parameters(name, *values)
    assert [value if isinstance(value, (bool, int, float, str)) else list(value) for value in found] == list(
        values.values()
    )


def test_parameters_override_what_the_class_declares(client: ContainerClient) -> None:
    name = client.loaded("Talker", parameters={"period": 0.5}).full_node_name
    assert client.parameters(name, "period") == [0.5]


def test_a_parameter_of_the_wrong_type_is_the_constructors_failure(client: ContainerClient) -> None:
    response = client.load("Talker", parameters={"period": "soon"})
    assert not response.success
    assert response.error_message.startswith("Component constructor threw an exception: ")
    assert "period" in response.error_message


# -------------------------------------------------------------------------------------------- global arguments


def test_arguments_of_the_container_do_not_reach_nodes(client: ContainerClient, ours: None, wait_for: Any) -> None:
    client.loaded("Talker", node_namespace="/own")
    wait_for(lambda: client.node.count_publishers("/own/chatter") == 1)


def test_forwarded_arguments_of_the_container_reach_the_node(
    client: ContainerClient, ours: None, wait_for: Any
) -> None:
    response = client.loaded("Talker", node_namespace="/forwarded", extra_arguments={"forward_global_arguments": True})
    assert response.full_node_name == "/forwarded/talker"
    wait_for(lambda: client.node.count_publishers("/forwarded/of_the_container") == 1)
    assert client.parameters("/forwarded/talker", "period") == [0.125]


def test_rules_and_parameters_of_the_request_win_over_forwarded_arguments(
    client: ContainerClient, ours: None, wait_for: Any
) -> None:
    client.loaded(
        "Talker",
        node_namespace="/both",
        remap_rules=["chatter:=of_the_request"],
        parameters={"period": 0.25},
        extra_arguments={"forward_global_arguments": True},
    )
    wait_for(lambda: client.node.count_publishers("/both/of_the_request") == 1)
    assert client.parameters("/both/talker", "period") == [0.25]


# -------------------------------------------------------------------------------------------------- log level


def test_a_log_level_holds_for_its_node_alone(client: ContainerClient) -> None:
    extra = {"enable_logger_service": True}
    verbose = client.loaded("Talker", node_name="verbose", log_level=DEBUG, extra_arguments=extra)
    plain = client.loaded("Talker", node_name="plain", extra_arguments=extra)
    assert _level(client, verbose.full_node_name) == DEBUG
    assert _level(client, plain.full_node_name) == 0


def test_a_log_level_ends_with_the_node(client: ContainerClient) -> None:
    extra = {"enable_logger_service": True}
    first = client.loaded("Talker", log_level=DEBUG, extra_arguments=extra)
    assert _level(client, first.full_node_name) == DEBUG
    client.unload(first.unique_id)
    second = client.loaded("Talker", extra_arguments=extra)
    assert _level(client, second.full_node_name) == 0


def _level(client: ContainerClient, node: str) -> int:
    service = client.client(GetLoggerLevels, f"{node}/get_logger_levels")
    names = [node.strip("/").replace("/", ".")]
    level = client.call(service, GetLoggerLevels.Request(names=names)).levels[0].level
    client.node.destroy_client(service)
    return int(level)


# ------------------------------------------------------------------------------------------- extra arguments

EXTRA = (
    "forward_global_arguments",
    "enable_rosout",
    "use_intra_process_comms",
    "enable_topic_statistics",
    "start_parameter_services",
    "start_parameter_event_publisher",
    "use_clock_thread",
    "enable_logger_service",
)


def test_all_extra_arguments_that_launch_files_pass_are_accepted(client: ContainerClient) -> None:
    client.loaded("Talker", extra_arguments=dict.fromkeys(EXTRA, True))


@pytest.mark.parametrize("name", EXTRA)
def test_an_extra_argument_that_is_not_a_boolean_is_refused(client: ContainerClient, name: str) -> None:
    response = client.load("Talker", extra_arguments={name: "yes"})
    assert not response.success
    assert f"Extra component argument '{name}' must be a boolean" in response.error_message


def test_an_unknown_extra_argument_is_refused_by_its_name(client: ContainerClient) -> None:
    response = client.load("Talker", extra_arguments={"warp_speed": True})
    assert not response.success
    assert "Extra component argument 'warp_speed' is not supported" in response.error_message


def test_a_node_without_parameter_services_and_rosout_has_neither(client: ContainerClient, wait_for: Any) -> None:
    full = client.loaded("Talker", node_name="full", node_namespace="/r")
    bare = client.loaded(
        "Talker",
        node_name="bare",
        node_namespace="/r",
        extra_arguments={"start_parameter_services": False, "enable_rosout": False},
    )

    def services(name: str) -> list[str]:
        return [service for service in client.services_of(f"/r/{name}") if service.endswith("/get_parameters")]

    def logs(name: str) -> bool:
        return any(p.node_name == name for p in client.node.get_publishers_info_by_topic("/rosout"))

    wait_for(lambda: {full.full_node_name, bare.full_node_name} <= set(client.nodes()))
    wait_for(lambda: services("full") and logs("full"))
    wait_for(lambda: client.node.count_publishers("/r/chatter") == 2)
    assert not services("bare")
    assert not logs("bare")


# ------------------------------------------------------------------------------------------------ unique ids


def test_ids_start_at_one_and_are_never_used_again(fresh_client: ContainerClient) -> None:
    client = fresh_client
    first = client.loaded("Talker").unique_id
    assert first == 1
    client.unload(first)
    assert client.loaded("Talker").unique_id == 2


def test_a_constructor_that_raises_uses_an_id_up_and_a_refused_option_does_not(client: ContainerClient) -> None:
    before = client.loaded("Talker", node_name="before").unique_id
    assert not client.load("Talker", extra_arguments={"warp_speed": True}).success
    assert not client.load("NoSuchClass").success
    after_refusals = client.loaded("Talker", node_name="after_refusals").unique_id
    assert after_refusals == before + 1
    assert not client.load("HalfMade").success
    assert client.loaded("Talker", node_name="after_failure").unique_id == after_refusals + 2


# -------------------------------------------------------------------------------------------------- failures


def test_a_failure_has_a_message_and_neither_a_name_nor_an_id(client: ContainerClient) -> None:
    for response in (client.load("HalfMade"), client.load("NoSuchClass"), client.load("Talker", package="no_package")):
        assert not response.success
        assert response.error_message
        assert response.full_node_name == ""
        assert response.unique_id == 0


def test_the_error_about_an_unknown_package_names_it(client: ContainerClient) -> None:
    message = client.load("x::Talker", package="no_such_package").error_message
    assert "Could not find requested resource in ament index" in message
    assert "no_such_package" in message


def test_the_error_about_an_unknown_class_lists_the_known_ones(client: ContainerClient) -> None:
    message = client.load("Talkre").error_message
    assert "Failed to find class with the requested plugin name." in message
    assert f"{PACKAGE}::Talker" in message


def test_a_constructor_that_raises_is_quoted(client: ContainerClient) -> None:
    message = client.load("HalfMade").error_message
    assert message.startswith("Component constructor threw an exception: ")
    assert "no camera on /dev/video7" in message


def test_unloading_an_unknown_id_says_so(client: ContainerClient) -> None:
    response = client.unload(4711)
    assert not response.success
    assert "No node found with unique_id: 4711" in response.error_message


def test_a_class_is_looked_up_in_its_package_alone(client: ContainerClient) -> None:
    response = client.load(f"{PACKAGE}::Talker", package="dimos_ros")
    assert not response.success


def test_a_duplicate_full_name_is_refused_and_the_first_goes_on(client: ContainerClient, wait_for: Any) -> None:
    first = client.loaded("Talker", node_namespace="/r")
    for fields in ({"node_namespace": "/r"}, {"remap_rules": ["__ns:=/r"]}):
        response = client.load("Talker", **fields)
        assert not response.success
        assert "/r/talker" in response.error_message
    assert list(client.list().values()) == ["/r/talker"]
    with client.heard(String, "/r/chatter") as messages:
        wait_for(lambda: messages)
    assert client.unload(first.unique_id).success
    assert client.loaded("Talker", node_namespace="/r").full_node_name == "/r/talker"


# ------------------------------------------------------------------------------------------- list and unload


def test_nodes_are_listed_by_ascending_id_in_whatever_order_they_became_ready(
    client: ContainerClient, wait_for: Any
) -> None:
    slow = client.send(client.load_service, client.request("Slow", parameters={"delay": 0.5}))
    time.sleep(0.1)  # the slow node's load begins first, and so gets the lower id
    client.loaded("Talker", node_name="b")
    client.loaded("Talker", node_name="a")
    wait_for(slow.done)
    listed = client.list()
    assert list(listed) == sorted(listed)
    assert list(listed.values()) == ["/slow", "/b", "/a"]


def test_an_unloaded_node_is_gone_from_the_list_and_from_the_graph(client: ContainerClient, wait_for: Any) -> None:
    response = client.loaded("Talker", node_namespace="/r")
    wait_for(lambda: client.node.count_publishers("/r/chatter") == 1)
    assert client.unload(response.unique_id).success
    assert client.list() == {}
    wait_for(lambda: client.node.count_publishers("/r/chatter") == 0)
    wait_for(lambda: "/r/talker" not in client.nodes())
    wait_for(lambda: client.node.count_services("/r/talker/ping") == 0)


def test_a_managed_node_stays_unconfigured_after_its_load(client: ContainerClient) -> None:
    from lifecycle_msgs.srv import GetState

    name = client.loaded("Managed").full_node_name
    service = client.client(GetState, f"{name}/get_state")
    assert client.call(service, GetState.Request()).current_state.label == "unconfigured"


# ------------------------------------------------------------------------------------------------------ exit


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_destroys_the_nodes_and_the_exit_code_is_0(
    number: int, domain: int, tmp_path: Path, ours: None, wait_for: Any
) -> None:
    with ContainerProcess(tmp_path) as process, ContainerClient(process.name) as client:
        client.loaded("Talker")
        client.loaded("Managed")
        wait_for(lambda: client.node.count_publishers("/chatter") == 1)
        start = time.monotonic()
        assert process.stop(number) == 0, process.log.read_text()
        assert time.monotonic() - start < 5.0
        # The endpoints must say goodbye. If they only vanished, their lease would run out after 20 s.
        wait_for(lambda: client.node.count_publishers("/chatter") == 0, timeout=10.0)
        assert "Traceback" not in process.log.read_text()


def test_types_on_the_wire_are_those_of_composition_interfaces() -> None:
    assert list(LoadNode.Request.get_fields_and_field_types().items()) == [
        ("package_name", "string"),
        ("plugin_name", "string"),
        ("node_name", "string"),
        ("node_namespace", "string"),
        ("log_level", "uint8"),
        ("remap_rules", "sequence<string>"),
        ("parameters", "sequence<rcl_interfaces/Parameter>"),
        ("extra_arguments", "sequence<rcl_interfaces/Parameter>"),
    ]
    assert list(LoadNode.Response.get_fields_and_field_types()) == [
        "success",
        "error_message",
        "full_node_name",
        "unique_id",
    ]
    assert list(UnloadNode.Request.get_fields_and_field_types().items()) == [("unique_id", "uint64")]
