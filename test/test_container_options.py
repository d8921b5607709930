"""The options of a load request and of a container's command line."""

from __future__ import annotations

import json
from typing import Any

import pytest

pytest.importorskip("rclpy", reason="needs rclpy")

from composition_interfaces.srv import LoadNode
from rcl_interfaces.msg import Parameter as ParameterMessage
from rcl_interfaces.msg import ParameterValue
from rclpy.parameter import Parameter

from dimos_ros.container.load_node_message import from_message, to_message
from dimos_ros.container.load_options import LoadOptions
from dimos_ros.container.main import _log_arguments, _parse, _ros_arguments, _without_name, parser
from dimos_ros.container.node_register import NodeRegister
from dimos_ros.exceptions import LoadRefusedError
from dimos_ros.loading.load_request import LoadRequest
from dimos_ros.loading.values import EmptyArray


def options(container_arguments: tuple[str, ...] = (), **fields: Any) -> LoadOptions:
    for field in ("parameters", "extra_arguments"):
        fields[field] = [Parameter(n, value=v).to_parameter_msg() for n, v in fields.get(field, {}).items()]
    return LoadOptions.of(from_message(LoadNode.Request(**fields)), container_arguments)


def test_arguments_come_in_the_order_of_the_contract() -> None:
    asked = options(node_name="n", node_namespace="/r", remap_rules=["a:=b", "c:=d"])
    assert asked.arguments == ["--ros-args", "-r", "a:=b", "-r", "c:=d", "-r", "__node:=n", "-r", "__ns:=/r"]


def test_without_a_name_nothing_is_remapped() -> None:
    assert options().arguments == ["--ros-args"]
    assert options().full_name == ""


def test_a_namespace_may_be_written_without_its_slash() -> None:
    assert options(node_name="n", node_namespace="fleet/robot1").full_name == "/fleet/robot1/n"


def test_arguments_of_the_container_come_last_and_only_if_asked_for() -> None:
    assert options(("-r", "x:=y")).arguments == ["--ros-args"]
    forwarded = options(("-r", "x:=y"), remap_rules=["a:=b"], extra_arguments={"forward_global_arguments": True})
    assert forwarded.arguments == ["--ros-args", "-r", "a:=b", "-r", "x:=y"]


def test_a_parameter_without_a_value_stays_without_a_value() -> None:
    request = LoadNode.Request(parameters=[ParameterMessage(name="unset", value=ParameterValue(type=0))])
    (parameter,) = LoadOptions.of(from_message(request)).parameters
    assert parameter.type_ == Parameter.Type.NOT_SET


ARRAYS = {
    "bool": Parameter.Type.BOOL_ARRAY,
    "int": Parameter.Type.INTEGER_ARRAY,
    "float": Parameter.Type.DOUBLE_ARRAY,
    "str": Parameter.Type.STRING_ARRAY,
    "bytes": Parameter.Type.BYTE_ARRAY,
}


@pytest.mark.parametrize("kind", ARRAYS)
def test_an_empty_array_keeps_its_type_from_the_message_to_the_node_and_through_json(kind: str) -> None:
    message = LoadNode.Request(parameters=[Parameter("words", ARRAYS[kind], []).to_parameter_msg()])
    request = from_message(message)
    assert request.parameters["words"] == EmptyArray(kind)
    again = LoadRequest.from_dict(json.loads(json.dumps(request.to_dict())))
    assert again == request
    assert to_message(again) == message
    (parameter,) = LoadOptions.of(again).parameters
    assert (parameter.type_, len(parameter.value)) == (ARRAYS[kind], 0)


@pytest.mark.parametrize(
    "value", [True, 3, 0.5, float("inf"), "text", [True, False], [1, -2], [0.5], ["a", ""], [b"\x00", b"\xff"]]
)
def test_a_parameter_is_the_same_after_its_way_through_a_load_request(value: Any) -> None:
    message = LoadNode.Request(parameters=[Parameter("given", value=value).to_parameter_msg()])
    again = LoadRequest.from_dict(json.loads(json.dumps(from_message(message).to_dict())))
    assert to_message(again) == message


def test_a_parameter_of_no_type_is_refused_by_its_name() -> None:
    request = LoadNode.Request(parameters=[ParameterMessage(name="odd", value=ParameterValue(type=99))])
    with pytest.raises(LoadRefusedError, match="'odd'"):
        LoadOptions.of(from_message(request))


def test_an_unknown_log_level_is_refused_with_a_list_of_the_levels() -> None:
    with pytest.raises(LoadRefusedError, match=r"Log level 15 is not supported; .*10 debug"):
        options(log_level=15)


def test_forwarded_arguments_are_those_for_ros_without_the_containers_name() -> None:
    line = "container --executor multi --ros-args -r __node:=c -r __ns:=/x -r a:=b -p n:=1 --log-level debug -- --x"
    given = _ros_arguments(line.split())
    assert given[:4] == ["-r", "__node:=c", "-r", "__ns:=/x"]
    assert _without_name(given) == ["-r", "a:=b", "-p", "n:=1", "--log-level", "debug"]


def test_processes_of_nodes_get_the_log_arguments() -> None:
    line = "-r a:=b --log-level debug --disable-rosout-logs --log-config-file f -p n:=1"
    assert _log_arguments(line.split()) == ["--log-level", "debug", "--disable-rosout-logs", "--log-config-file", "f"]


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("", {"executor": "events", "isolated": True, "processes": False, "threads": None}),
        ("--executor single --no-isolated", {"executor": "single", "isolated": False}),
        ("--executor multi --threads 3", {"executor": "multi", "threads": 3}),
        ("--isolated --use_multi_threaded_executor", {"isolated": True, "executor": "multi"}),
        ("--processes --respawn", {"processes": True, "respawn": True}),
    ],
)
def test_the_command_line_says_how_nodes_are_run(line: str, found: dict[str, Any]) -> None:
    parsed = vars(parser().parse_args(line.split()))
    assert {name: parsed[name] for name in found} == found


@pytest.mark.parametrize("line", ["--executor fast", "--threads 0", "--threads x", "--nonsense"])
def test_a_command_line_that_is_wrong_is_refused(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        parser().parse_args(line.split())
    assert caught.value.code == 2
    assert line.split()[-1] in capsys.readouterr().err


def test_only_ids_of_refused_requests_are_given_again() -> None:
    register = NodeRegister()
    assert register.begin("/a") == 1
    register.release(1, refused=True)
    assert register.begin("/a") == 1
    register.release(1)
    assert register.begin("/a") == 2
    assert register.begin("/b") == 3
    register.release(2, refused=True)  # a later id has been given
    assert register.begin("/c") == 4


def test_a_name_is_taken_from_its_request_until_its_release() -> None:
    register = NodeRegister()
    first = register.begin("/a")
    with pytest.raises(LoadRefusedError, match="is being loaded"):
        register.begin("/a")
    register.claim("/other", first)
    register.ready(first)
    second = register.begin("/a")
    with pytest.raises(LoadRefusedError, match="/other runs in this container already, with unique_id 1"):
        register.claim("/other", second)
    register.release(first)
    register.claim("/other", second)


def test_the_containers_own_name_is_refused() -> None:
    register = NodeRegister()
    register.reserve("/container")
    with pytest.raises(LoadRefusedError, match="name of the container"):
        register.begin("/container")


def test_respawn_without_processes_is_refused_rather_than_ignored(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        _parse(["--respawn"])
    assert ended.value.code == 2
    assert "--respawn works with --processes" in capsys.readouterr().err
    assert _parse(["--respawn", "--processes"]).respawn
