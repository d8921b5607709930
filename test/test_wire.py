"""The wire contract of calls: a client that is written from the comments of Call.srv gets what they promise."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("rclpy", reason="needs rclpy")

import numpy
from calls_modules import Workshop
from geometry_msgs.msg import Point, Pose
from rclpy.serialization import serialize_message

from dimos_ros.calls import wire
from dimos_ros.calls.wire import Answer

CALL_SRV = Path(__file__).resolve().parents[1] / "interfaces" / "srv" / "Call.srv"

Ask = Callable[[str, str], Answer]


@pytest.fixture
def workshop(context: Any) -> Iterator[Workshop]:
    made = Workshop(context=context)
    yield made
    made.destroy_node()


@pytest.fixture
def ask(workshop: Workshop) -> Ask:
    workshop.trigger_configure()
    workshop.trigger_activate()
    return workshop._call_server.answer


def test_the_interface_file_explains_every_reserved_name() -> None:
    text = CALL_SRV.read_text()
    for name in (
        *wire.LISTINGS,
        wire.IDENTITY,
        wire.ENCODED,
        wire.POSITIONAL,
        wire.MESSAGE,
        wire.ARRAY,
        *wire.REFUSALS,
    ):
        assert f'"{name}"' in text


@pytest.mark.parametrize(
    "arguments",
    ['{"a": 2, "b": 3}', "[2, 3]", '{"$positional": [2], "b": 3}', '{"$positional": [2, 3], "$encoded": true}'],
)
def test_arguments_may_come_by_name_by_position_or_both(ask: Ask, arguments: str) -> None:
    assert ask("add", arguments) == Answer(True, "5")


@pytest.mark.parametrize("arguments", ["", " \n", "null", "{}", "[]"])
def test_no_arguments_may_be_written_in_several_ways(ask: Ask, arguments: str) -> None:
    assert ask("who", arguments) == Answer(True, '"/workshop"')


def test_a_result_is_encoded_only_for_a_client_that_asks_for_it(ask: Ask) -> None:
    pose = Pose(position=Point(x=1.5))
    encoded = {"$message": "geometry_msgs/msg/Pose", "cdr": base64.b64encode(serialize_message(pose)).decode()}
    plain = json.loads(ask("mirror", json.dumps({"pose": encoded})).result)
    assert plain["position"] == {"x": -1.5, "y": 0.0, "z": 0.0}
    answered = json.loads(ask("mirror", json.dumps({"pose": {"position": {"x": 1.5}}, "$encoded": True})).result)
    assert answered.keys() == encoded.keys()
    assert answered["$message"] == encoded["$message"]
    data = base64.b64encode(numpy.array([[1, 2]], "<f4").tobytes()).decode()
    array = {"$array": "<f4", "shape": [1, 2], "data": data}
    assert ask("scale", json.dumps({"array": array, "by": 2.0})).result == "[[2.0,4.0]]"


def test_the_reserved_methods_are_answered_in_any_lifecycle_state(workshop: Workshop) -> None:
    answer = workshop._call_server.answer
    assert not workshop.is_active
    listing = json.loads(answer("help", "").result)
    assert answer("", "").result == answer("help", "").result
    assert listing["add"] == {"signature": "add(a: int, b: int = 1) -> int", "summary": "The sum."}
    assert listing["reset"]["service"] == "/workshop/reset [std_srvs/srv/Trigger]"
    assert json.loads(answer("$process", "").result).keys() == {"pid", "start", "machine"}


def test_a_refusal_has_no_traceback_and_an_error_of_the_method_has_one(ask: Ask, workshop: Workshop) -> None:
    assert wire.REFUSALS.keys() == {"UnknownMethodError", "ArgumentError", "TargetInactiveError"}
    for refused in (ask("nowhere", ""), ask("add", "[]"), ask("add", "{")):
        assert refused.refusal is wire.REFUSALS[refused.error_type]
        assert not refused.error_traceback
    raised = ask("fail", '{"text": "no"}')
    assert raised.error_traceback and raised.refusal is None
    workshop.trigger_deactivate()
    assert ask("add", "[1]").error_type == "TargetInactiveError"
