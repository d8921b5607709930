"""Random requests to ``~/call``: each gets an answer, and the module stays up."""

from __future__ import annotations

import base64
import json
import random
import string
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("rclpy", reason="needs rclpy")

from calls_modules import Workshop
from dimos_interfaces.srv import Call

from dimos_ros.declaration.rpc import methods_of
from dimos_ros.ros.service_caller import ServiceCaller

COUNT = 12_000
METHODS = [name for name in methods_of(Workshop) if name not in ("sleep", "die", "recurse")]
NAMES = [
    "_private", "__init__", "__class__", "__dict__", "__del__", "not_a_call", "gain", "destroy_node", "get_logger",
    "handle", "executor", "context", "_call_server", "add.__func__", "add()", "Add", " add", "add ", "add\n", "..",
    "/", "", "help", "$process", "$encoded", "sleep;", "a" * 10_000, "ünïcödé", "\x01", "%s%n", "{}", "0", "None",
]  # fmt: skip
PIECES = [
    "{", "}", "[", "]", ",", ":", '"', "null", "true", "1", "-", "1e999", "1e-999", "0x1", "NaN", "Infinity", "\\", "'",
    "\\u0000", "\\ud800", '"\\ud800"', "\x01", "\t", " ", "é", "🤖", "//", "/*", "#", "a", '"a"', '"a":', '"$message":',
    '"$array":', '"cdr":', '"shape":', '"data":', '"$positional":', '"$encoded":', "9" * 30,
]  # fmt: skip
LEAVES: list[Any] = [
    None, True, False, 0, 1, -1, 1.5, 2**31, 2**63, 2**64, -(2**63) - 1, 10**400, 1e308, -1e308, float("nan"),
    float("inf"), "", "x", "\0", "\ud800", "é" * 50, "a" * 5_000, "calm", "1", "AAAA", [], {}, [[]], [{}], {"": None},
    {"position": 1}, {"position": {"x": "1"}}, {"data": [1, 256, -1]}, {"name": None}, {"_x": 1}, {"__class__": 1},
]  # fmt: skip
KEYS = [
    "a", "b", "pose", "array", "by", "part", "moods", "image", "value", "values", "data", "only", "text", "self", "cls",
    "$encoded", "$positional", "$message", "__class__", "", "x", "name", "position", "orientation", "header",
]  # fmt: skip
TYPES: list[Any] = [
    "geometry_msgs/msg/Pose", "sensor_msgs/msg/Image", "std_srvs/srv/SetBool_Request", "os/msg/system", "x", 5, None,
]  # fmt: skip


def value(rng: random.Random, depth: int = 3) -> Any:
    kind = rng.random()
    if depth == 0 or kind < 0.5:
        return rng.choice(LEAVES)
    if kind < 0.65:
        return [value(rng, depth - 1) for _ in range(rng.randrange(4))]
    if kind < 0.85:
        return {rng.choice(KEYS): value(rng, depth - 1) for _ in range(rng.randrange(4))}
    if kind < 0.93:
        return {"$message": rng.choice(TYPES), "cdr": encoded(rng)}
    return {
        "$array": rng.choice(["<f4", ">i2", "|u1", "|O8", "<U4", "<f99", "", 5]),
        "shape": rng.choice([[], [2], [2, 2], [-1], [10**12], [0, 10**12], "2", [1.5], [True]]),
        "data": encoded(rng),
    }


def encoded(rng: random.Random) -> Any:
    """Return base64 of bytes that look a little like CDR, base64 of nothing, or text that is not base64."""
    kind = rng.random()
    if kind < 0.1:
        return rng.choice(["", "A", "====", "no base64", 5, None, "é"])
    header = b"\0\1\0\0" if kind < 0.8 else rng.randbytes(4)
    body = rng.choice([rng.randbytes(rng.randrange(80)), b"\xff" * rng.randrange(80), b"\0" * rng.randrange(80)])
    return base64.b64encode(header + body).decode()


def request(rng: random.Random) -> tuple[str, str]:
    """Return a method and its arguments: any well-formed JSON, broken JSON, or text that is huge or deeply nested."""
    method = rng.choice(METHODS) if rng.random() < 0.8 else rng.choice(NAMES)
    kind = rng.random()
    if kind < 0.65:
        arguments = json.dumps(value(rng), ensure_ascii=rng.random() < 0.5)
    elif kind < 0.8:
        arguments = "".join(rng.choice(PIECES) for _ in range(rng.randrange(12)))
    elif kind < 0.9:
        text = json.dumps(value(rng))
        cut = rng.randrange(len(text) + 1)
        arguments = text[:cut] + rng.choice(string.printable) + text[cut + 1 :]
    elif kind < 0.97:
        depth = rng.choice([100, 250, 1_000, 20_000])
        opening, closing = rng.choice([("[", "]"), ('{"a":', "}"), ('{"$positional":[', "]}"), ('{"value":[', "]}")])
        arguments = opening * depth + ("1" + closing * depth if rng.random() < 0.7 else "")
    elif kind < 0.99:
        arguments = json.dumps({"text": "x" * rng.choice([10_000, 300_000]), "value": ["y" * 1000] * 10})
    else:
        arguments = '{"a": ' + "9" * rng.choice([400, 5_000, 50_000]) + "}"
    # Text that ROS cannot carry never reaches the module.
    arguments = arguments.encode("utf-8", "replace").decode().replace("\0", "")
    return method, arguments


@pytest.fixture
def workshop(context: Any) -> Iterator[Any]:
    from rclpy.logging import LoggingSeverity

    workshop = Workshop(context=context)
    workshop.get_logger().set_level(LoggingSeverity.FATAL)  # it logs every exception of its methods
    workshop.trigger_configure()
    workshop.trigger_activate()
    yield workshop
    workshop.destroy_node()


@pytest.mark.parametrize("seed", [1])
def test_thousands_of_bad_requests_are_each_answered(context: Any, workshop: Any, seed: int) -> None:
    rng = random.Random(seed)
    caller = ServiceCaller(workshop, Call, "~/call")
    assert caller.wait_for_service(5.0)
    outcomes: Counter[str] = Counter()
    for number in range(COUNT):
        method, arguments = request(rng)
        try:
            response = caller.call(Call.Request(method=method, arguments=arguments), 10.0)
        except TimeoutError:
            pytest.fail(f"request {number} has no answer: {method!r:.100} {arguments!r:.300}")
        if response.success:
            json.loads(response.result)
            outcomes["success"] += 1
        else:
            assert response.error_type, (method, arguments)
            assert response.error_message or response.error_traceback, (method, arguments)
            assert not response.result
            outcomes[response.error_type] += 1
        if method in NAMES and method not in ("", "help", "$process"):
            assert response.error_type == "UnknownMethodError", (method, response)
    caller_ok = caller.call(Call.Request(method="add", arguments="[1, 2]"), 5.0)
    assert caller_ok.result == "3"
    caller.close()
    assert sum(outcomes.values()) == COUNT >= 10_000
    assert outcomes["ArgumentError"] > COUNT * 0.4, outcomes
    assert outcomes["UnknownMethodError"] > COUNT * 0.1, outcomes
    assert outcomes["success"] > COUNT * 0.02, outcomes
    assert workshop.is_active
