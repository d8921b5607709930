"""Conversion by type hints: a value comes out as it went in, and one that does not fit is an error with its place."""

from __future__ import annotations

import array
import collections
import dataclasses
import datetime
import enum
import json
import threading
import typing
import uuid
from typing import Any

import numpy
import pytest
from numpy.typing import NDArray

pytest.importorskip("rclpy", reason="needs rclpy")

from geometry_msgs.msg import Pose, PoseStamped
from sensor_msgs.msg import Image, LaserScan
from std_msgs.msg import ByteMultiArray, Float32, String, UInt8
from std_srvs.srv import SetBool
from test_msgs.msg import Arrays, BasicTypes, BoundedSequences, Strings, UnboundedSequences, WStrings

from dimos_ros.calls import message_fields
from dimos_ros.calls.conversion import from_json, to_json
from dimos_ros.calls.conversion_hints import MethodHints, ServiceHints
from dimos_ros.calls.conversion_pydantic import IS_VERSION_1
from dimos_ros.calls.conversion_reader import reader
from dimos_ros.exceptions import ArgumentError, DeclarationError

if typing.TYPE_CHECKING:
    from fractions import Fraction


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


@dataclasses.dataclass
class Point:
    x: float
    y: float = 0.0


@dataclasses.dataclass
class Route:
    name: str
    points: list[Point]
    colour: Colour = Colour.RED


@dataclasses.dataclass
class Observation:
    pose: Pose
    ranges: NDArray[numpy.float32]
    raw: bytes = b""
    level: Level = Level.LOW


@dataclasses.dataclass
class Tree:
    value: NDArray[numpy.int32]
    children: list[Tree] = dataclasses.field(default_factory=list)


class Corner(typing.NamedTuple):
    x: float
    y: float


def equal(left: Any, right: Any) -> bool:
    """Compare by value and type, with the arrays inside."""
    if isinstance(left, numpy.ndarray):
        return (
            left.dtype == right.dtype and left.shape == right.shape and numpy.array_equal(left, right, equal_nan=True)
        )
    if dataclasses.is_dataclass(left) and not isinstance(left, type):
        return type(left) is type(right) and all(
            equal(getattr(left, f.name), getattr(right, f.name)) for f in dataclasses.fields(left)
        )
    if isinstance(left, (list, tuple)):
        return type(left) is type(right) and len(left) == len(right) and all(map(equal, left, right))
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(equal(left[k], right[k]) for k in left)
    return type(left) is type(right) and (left == right or left != left)


def sent(value: Any, hint: Any, *, encoded: bool) -> Any:
    """Return a value as it arrives on the other side."""
    return reader(hint)(from_json(to_json({"v": value}, encoded=encoded), "it")["v"], "v")


def pose(x: float = 1.5) -> Pose:
    message = Pose()
    message.position.x, message.orientation.w = x, 1.0
    return message


VALUES: list[tuple[Any, Any]] = [
    (int, 5),
    (int, -(2**63)),
    (int, 10**30),
    (float, 2.5),
    (float, float("inf")),
    (float, float("nan")),
    (bool, True),
    (str, 'naïve "text" 🤖 \\ \n \0'),
    (bytes, bytes(range(256))),
    (type(None), None),
    (list[int], [1, 2, 3]),
    (list[float], []),
    (dict[str, int], {"a": 1}),
    (dict[int, str], {1: "one", 2: "two"}),
    (dict[Colour, list[bytes]], {Colour.RED: [b"\xff\0"]}),
    (tuple[int, str], (1, "one")),
    (tuple[float, ...], (1.0, 2.0)),
    (set[str], {"a", "b"}),
    (frozenset[int], frozenset({1})),
    (int | None, None),
    (int | None, 3),
    (int | str, "5"),
    (int | str, 5),
    (float | bool, True),
    (Colour, Colour.BLUE),
    (Level, Level.HIGH),
    (typing.Literal["fast", "slow"], "slow"),
    (datetime.datetime, datetime.datetime(2024, 5, 6, 7, 8, 9, 10, tzinfo=datetime.timezone.utc)),
    (uuid.UUID, uuid.UUID(int=5)),
    (Corner, Corner(1.0, 2.0)),
    (Point, Point(1.0, 2.0)),
    (Point | None, Point(1.0)),
    (Route, Route("r", [Point(1.0, 2.0), Point(3.0)], Colour.BLUE)),
    (dict[str, list[Route | None]], {"a": [None, Route("r", [])]}),
    (NDArray[numpy.float32], numpy.array([[1.5, 2.5]], numpy.float32)),
    (NDArray[numpy.uint8], numpy.zeros((2, 3, 3), numpy.uint8)),
    (NDArray[numpy.bool_], numpy.array([True, False])),
    (NDArray[numpy.int64], numpy.array(5)),
    (list[NDArray[numpy.float64]], [numpy.zeros(2), numpy.ones((0, 3))]),
    (Pose, pose()),
    (list[Pose], [pose(), pose(2.0)]),
    (Pose | None, None),
    (Pose | String, String(data="x")),
    (dict[str, Pose | Point], {"a": pose(), "b": Point(1.0)}),
    (tuple[Pose, int], (pose(), 1)),
    (Observation, Observation(pose(), numpy.array([1.0], numpy.float32), b"\xfe", Level.HIGH)),
    (list[Observation | None], [None, Observation(pose(), numpy.zeros(0, numpy.float32))]),
    (Tree, Tree(numpy.array([1], numpy.int32), [Tree(numpy.array([], numpy.int32))])),
    (collections.deque[bytes], collections.deque([b"a"])),
    (PoseStamped, PoseStamped(pose=pose())),
    (Image, Image(width=2, height=1, encoding="rgb8", data=array.array("B", b"\0\1\2\3\4\5"))),
    (LaserScan, LaserScan(ranges=array.array("f", [1.5, float("inf")]))),
    (SetBool.Request, SetBool.Request(data=True)),
]


@pytest.mark.parametrize("encoded", [False, True], ids=["for people", "for Python"])
@pytest.mark.parametrize(
    ("hint", "value"), VALUES, ids=[f"{i}-{getattr(h, '__name__', h)}" for i, (h, _) in enumerate(VALUES)]
)
def test_a_value_arrives_as_it_was_sent(hint: Any, value: Any, encoded: bool) -> None:
    if hint is NDArray[numpy.int64] or (isinstance(value, list) and value and isinstance(value[-1], numpy.ndarray)):
        encoded = True  # a list cannot tell the shape of an empty array
    if IS_VERSION_1 and hint == dict[Colour, list[bytes]]:
        pytest.skip("version 1 of pydantic comes with the standard library's JSON, which has no such keys")
    arrived = sent(value, hint, encoded=encoded)
    assert equal(arrived, value), f"{arrived!r} is not {value!r}"


@pytest.mark.parametrize("message_type", [BasicTypes, Arrays, UnboundedSequences, BoundedSequences, Strings, WStrings])
@pytest.mark.parametrize("encoded", [False, True], ids=["for people", "for Python"])
def test_every_kind_of_field_of_a_message_arrives(message_type: Any, encoded: bool) -> None:
    message = filled(message_type)
    assert message != message_type()
    assert sent(message, message_type, encoded=encoded) == message


def filled(message_type: Any) -> Any:
    """Return a message of which no field has its default."""
    message = message_type()
    for name, kind in message_type.get_fields_and_field_types().items():
        if name == "alignment_check" or "constants" in name or "default" in name:
            continue
        present = getattr(message, name)
        if "BasicTypes" in kind:
            setattr(message, name, [filled(BasicTypes) for _ in range(3)])
        elif "boolean" in kind:
            setattr(message, name, [True, False, True] if "values" in name else True)
        elif "octet" in kind:
            setattr(message, name, [b"\1", b"\xff", b"\0"] if "values" in name else b"\xfe")
        elif "string" in kind:
            several = "[" in kind or "sequence" in kind
            setattr(message, name, ["a", "ü", ""] if several else "grüße")
        elif isinstance(present, numpy.ndarray):
            setattr(message, name, numpy.array([1, 2, 3], present.dtype))
        elif isinstance(present, array.array):
            setattr(message, name, array.array(present.typecode, [1, 2, 3]))
        else:
            setattr(message, name, type(present)(7))
    return message


def test_what_arrives_shares_nothing_with_what_was_sent() -> None:
    observation = Observation(pose(), numpy.zeros(2, numpy.float32))
    arrived = sent(observation, Observation, encoded=True)
    arrived.pose.position.x = 99.0
    arrived.ranges[0] = 99.0
    assert (observation.pose.position.x, observation.ranges[0]) == (1.5, 0.0)


def test_numpy_numbers_are_numbers() -> None:
    assert sent(numpy.float32(1.5), float, encoded=True) == 1.5
    assert sent(numpy.int16(3), int, encoded=False) == 3
    assert sent({"a": numpy.uint8(3)}, dict[str, int], encoded=True) == {"a": 3}
    assert reader(int)(numpy.int64(5), "v") == 5


def test_an_array_given_for_a_list_becomes_a_list() -> None:
    assert sent(numpy.arange(3), list[int], encoded=True) == [0, 1, 2]


def test_a_message_without_a_hint_arrives_as_a_message() -> None:
    assert sent({"m": pose()}, Any, encoded=True) == {"m": pose()}


@pytest.mark.parametrize(
    ("hint", "value", "expected"),
    [
        (int, "5", "v: takes an integer, not '5'"),
        (int, True, "v: takes an integer, not True"),
        (int, 5.5, "v: takes an integer, not 5.5"),
        (float, "x", "v: takes a number, not 'x'"),
        (float, 10**400, "double's range"),
        (bool, 1, "v: takes true or false"),
        (str, 5, "v: takes text, not 5"),
        (str, None, "v: takes text, not None"),
        (bytes, "no base64!", "v: takes bytes in base64"),
        (list[int], {"a": 1}, "v"),
        (list[int], [1, "x"], "v.1."),
        (Colour, "green", "v: "),
        (Point, {"x": "far"}, "x"),
        (Point, {"z": 1.0}, "v"),
        (Point, 5, "v"),
        (Route, {"name": "r", "points": [{"x": 1}, {}]}, "points.*1"),
        (tuple[Pose, int], [{}], "v: takes a list of 2"),
        (dict[str, Pose], [], "v: takes an object"),
        (NDArray[numpy.uint8], [256], "uint8, 0 to 255"),
        (NDArray[numpy.uint8], [1.5], "array of uint8, not of float64"),
        (NDArray[numpy.float32], [[1], [1, 2]], "v: "),
        (NDArray[numpy.float32], ["a"], "numbers"),
        (NDArray[numpy.float32], "abc", "an array as a list"),
        (NDArray[numpy.float32], {"a": 1}, "an array as a list"),
        (NDArray[numpy.float32], None, "an array as a list"),
        (Observation, {"pose": {}, "ranges": [], "mood": 1}, "Observation has no field 'mood'; it has pose, ranges"),
        (Observation, {"pose": {}}, "ranges"),
        (Pose | Point, 5, "; or v: "),
    ],
)
def test_what_does_not_fit_says_where_and_what_would(hint: Any, value: Any, expected: str) -> None:
    with pytest.raises(ArgumentError, match=expected):
        reader(hint)(value, "v")


@pytest.mark.parametrize(
    ("message_type", "fields", "expected"),
    [
        (Pose, 5, "v: Pose must be given as its fields by name, not as 5"),
        (Pose, [], "v: Pose must be given as its fields by name, not as a list"),
        (Pose, {"positon": {}}, "v: Pose has no field 'positon'; it has position, orientation"),
        (Pose, {"_position": {}}, "v: Pose has no field '_position'"),
        (Pose, {"position": {"x": "1"}}, r"v.position.x: takes a number, not '1'"),
        (Pose, {"position": {"x": True}}, r"v.position.x: takes a number, not True"),
        (Pose, {"position": {"x": 10**400}}, r"v.position.x: .* too large for a double"),
        (Float32, {"data": 1e300}, r"v.data: .* too large for a float32"),
        (UInt8, {"data": 256}, "v.data: takes uint8, 0 to 255, not 256"),
        (UInt8, {"data": -1}, "v.data: takes uint8"),
        (UInt8, {"data": 1.0}, "v.data: takes uint8, not 1.0"),
        (UInt8, {"data": 10**5000}, "v.data: takes uint8.* an integer of 16610 bits"),
        (String, {"data": 5}, "v.data: takes text, not 5"),
        (String, {"data": None}, "v.data: takes text, not None"),
        (Strings, {"bounded_string_value": "x" * 23}, "at most 22 characters"),
        (BasicTypes, {"bool_value": 1}, "takes true or false"),
        (BasicTypes, {"byte_value": 300}, "takes octet, 0 to 255"),
        (Arrays, {"int32_values": [1, 2]}, "takes 3 elements, not 2"),
        (Arrays, {"bool_values": [True, 1, False]}, r"bool_values.1.: takes true or false"),
        (Arrays, {"basic_types_values": [{}, {}, 5]}, r"basic_types_values.2.: BasicTypes must be given as its fields"),
        (BoundedSequences, {"uint8_values": [1, 2, 3, 4]}, "at most 3 elements"),
        (BoundedSequences, {"string_values": "abc"}, "takes a list"),
        (LaserScan, {"ranges": [1.0, "x"]}, "v.ranges: takes a list of float"),
        (LaserScan, {"ranges": {"0": 1.0}}, "v.ranges: takes a list of float"),
        (LaserScan, {"ranges": "123"}, "v.ranges: takes a list of float"),
        (Image, {"data": [0, 256]}, "v.data: takes a list of uint8"),
        (ByteMultiArray, {"data": [1, -2]}, r"v.data.1.: takes octet"),
    ],
)
def test_a_wrong_field_of_a_message_is_found_here_and_not_in_c(message_type: Any, fields: Any, expected: str) -> None:
    with pytest.raises(ArgumentError, match=expected):
        reader(message_type)(fields, "v")


def test_messages_are_given_by_some_of_their_fields() -> None:
    read = reader(PoseStamped)({"header": {"frame_id": "map"}, "pose": {"position": {"x": 1}}}, "v")
    assert (read.header.frame_id, read.pose.position.x, read.pose.orientation.w) == ("map", 1.0, 1.0)


def test_an_image_is_made_of_any_sequence_of_bytes() -> None:
    for data in ([1, 2], b"\1\2", bytearray(b"\1\2"), numpy.array([1, 2], numpy.uint8), array.array("B", [1, 2])):
        assert message_fields.from_dict(Image, {"data": data}, "v").data.tobytes() == b"\1\2"


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "nul",
        '{"a": }',
        "[1, 2",
        '"\\ud800',
        "[" * 100_000,
        '{"a":' * 100_000,
        '{"$message": "geometry_msgs/msg/Pose", "cdr": 5}',
        '{"$message": "geometry_msgs/msg/Pose", "cdr": "no base64"}',
        '{"$message": "geometry_msgs/msg/Pose", "cdr": "AAAA"}',
        '{"$message": "geometry_msgs/msg/Pose", "cdr": "AAEAAAAA"}',
        '{"$message": "test_msgs/msg/BoundedSequences", "cdr": "AAAAfw=="}',
        '{"$message": "geometry_msgs/msg/Nothing", "cdr": ""}',
        '{"$message": "os/msg/path", "cdr": ""}',
        '{"$message": ["x"], "cdr": ""}',
        '{"$array": "<f4", "shape": [2], "data": "AAAA"}',
        '{"$array": "<f4", "shape": [-1], "data": ""}',
        '{"$array": "<f4", "shape": 5, "data": ""}',
        '{"$array": "|O8", "shape": [1], "data": "AAAAAAAAAAA="}',
        '{"$array": "<f3", "shape": [1], "data": "AAAA"}',
        '{"$array": "<f4", "shape": [4611686018427387904, 4611686018427387904], "data": ""}',
        '[[{"$array": {}, "shape": [], "data": ""}]]',
    ],
)
def test_bad_json_and_bad_encodings_are_errors(text: str) -> None:
    with pytest.raises(ArgumentError, match="the text is not JSON"):
        from_json(text, "the text")


def test_a_type_named_from_outside_imports_nothing() -> None:
    import sys

    assert "stereo_msgs.msg" not in sys.modules
    with pytest.raises(ArgumentError, match="has not loaded a ROS message type 'stereo_msgs/msg/DisparityImage'"):
        from_json('{"$message": "stereo_msgs/msg/DisparityImage", "cdr": ""}', "it")
    assert "stereo_msgs.msg" not in sys.modules


def test_what_has_no_json_form_is_named() -> None:
    loop: list[Any] = []
    loop.append(loop)
    for value in (object(), loop, {"a": Point}, "\ud800", lambda: 0):
        if value == "\ud800" and IS_VERSION_1:
            continue  # the standard library writes it as an escape
        with pytest.raises(ArgumentError, match="has no JSON form"):
            to_json(value)


def test_people_read_messages_as_fields() -> None:
    text = to_json({"at": pose(), "raw": numpy.arange(2)})
    assert json.loads(text)["at"]["position"] == {"x": 1.5, "y": 0.0, "z": 0.0}
    assert json.loads(text)["raw"] == [0, 1]


class Methods:
    def plain(self, a: int, b: str = "b", *, c: Point | None = None) -> list[int]:
        return [a]

    def unchecked(self, a, b=1):
        return a

    def nothing(self) -> None: ...

    def for_the_type_checker(self, a: Fraction, b: int) -> Fraction:
        return a

    def set(self, request: SetBool.Request) -> SetBool.Response:
        return SetBool.Response(success=request.data)

    def set_by_field(self, data: bool) -> SetBool.Response:
        return SetBool.Response(success=data)


def test_arguments_come_by_name_by_position_or_both() -> None:
    hints = MethodHints("plain", Methods.plain)
    assert hints.arguments({"a": 1}) == {"a": 1}
    assert hints.arguments([1, "x"]) == {"a": 1, "b": "x"}
    assert hints.arguments({"$positional": [1], "b": "x"}) == {"a": 1, "b": "x"}
    assert hints.arguments({"a": 1, "c": {"x": 2.0}}) == {"a": 1, "c": Point(2.0)}
    assert MethodHints("nothing", Methods.nothing).arguments(None) == {}


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({}, r"plain\(\) needs a"),
        ([1, "b", None], r"plain\(\) takes 2 arguments by position, but 3 were given"),
        ({"a": 1, "d": 2}, r"plain\(\) has no argument 'd'; its arguments: a, b, c"),
        ({"$positional": [1], "a": 1}, r"plain\(\) got the argument 'a' twice"),
        ({"self": 1, "a": 1}, "no argument 'self'"),
        (5, "a JSON object or list, not int"),
        ("a", "a JSON object or list, not str"),
    ],
)
def test_wrong_arguments_name_the_method_and_what_it_takes(data: Any, expected: str) -> None:
    with pytest.raises(ArgumentError, match=expected):
        MethodHints("plain", Methods.plain).arguments(data)


def test_without_hints_nothing_is_checked() -> None:
    assert MethodHints("unchecked", Methods.unchecked).arguments(["x", [1]]) == {"a": "x", "b": [1]}


def test_a_hint_for_the_type_checker_alone_leaves_the_other_arguments_checked() -> None:
    hints = MethodHints("for_the_type_checker", Methods.for_the_type_checker)
    assert hints.arguments(["x", 1]) == {"a": "x", "b": 1}
    with pytest.raises(ArgumentError, match="b: takes an integer"):
        hints.arguments(["x", "y"])


@pytest.mark.parametrize("hint", [threading.Event, list[threading.Event], typing.ForwardRef("Nowhere")])
def test_a_hint_that_nothing_can_be_sent_for_is_an_error_of_the_declaration(hint: Any) -> None:
    with pytest.raises(DeclarationError, match="cannot be checked"):
        reader(hint)


def test_results_are_checked_too() -> None:
    hints = MethodHints("plain", Methods.plain)
    assert hints.result((1, 2)) == [1, 2]
    with pytest.raises(ArgumentError, match=r"result of plain\(\)"):
        hints.result("abc")
    assert MethodHints("nothing", Methods.nothing).result(5) is None


@pytest.mark.parametrize("function", [Methods.set, Methods.set_by_field])
def test_a_method_of_a_ros_service_takes_the_request_or_its_fields(function: Any) -> None:
    hints = ServiceHints("set", function, SetBool)
    for data in (SetBool.Request(data=True), {"data": True}, [True]):
        arguments = hints.arguments(data)
        assert hints.result(function(None, **arguments)).success is True
    assert hints.by_name([SetBool.Request(data=True)], {}) == {"data": True}
    with pytest.raises(ArgumentError, match=r"data: takes true or false"):
        hints.arguments({"data": 1})
    with pytest.raises(ArgumentError, match="Response"):
        hints.result(True)
