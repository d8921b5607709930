"""Where a blueprint comes from: import paths, functions and their arguments, robots' names."""

from __future__ import annotations

import enum
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Union

import pytest
from blueprint_modules import FleetMap, Mapper, ScanReplay, robot, scouts

from dimos_ros import BlueprintError, ClassNotFoundError, autoconnect, plan
from dimos_ros.blueprint.arguments import bind, convert
from dimos_ros.blueprint.compile_source import compile_source, load
from dimos_ros.blueprint.source import FIELDS, BlueprintSource, Kind, parse_robots
from dimos_ros.blueprint.source_text import read_source
from dimos_ros.blueprint.yaml_text import MOST_LEVELS, mapping_of_yaml, value_of_yaml

OLD_UNION = Union.__getitem__((int, str))
"""As people still write it; the linter would not."""


class Tool(enum.Enum):
    GRIPPER = "gripper"
    HOOK = "hook"


# ------------------------------------------------------------------------------------------------ robots


@pytest.mark.parametrize(
    ("written", "names"),
    [
        ("", ()),
        ("a,b", ("a", "b")),
        ("a b", ("a", "b")),
        (" a , b ,", ("a", "b")),
        ("/a fleet/b/", ("a", "fleet/b")),
        ("3", ("robot1", "robot2", "robot3")),
        (2, ("robot1", "robot2")),
        (["a", "b"], ("a", "b")),
        ((), ()),
    ],
)
def test_robots_are_names_or_a_count(written: Any, names: tuple[str, ...]) -> None:
    assert parse_robots(written) == names


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("0", "a count from 1"),
        ("-2", "a count from 1"),
        (0, "a count from 1"),
        ("9" * 10_000, "a count from 1 to 10000"),
        ("a,a", "robot 'a' is named twice"),
        ("a,/a/", "robot 'a' is named twice"),
        ("1bot", "'1bot' starts with a digit"),
        ("3 4", "starts with a digit"),
        ("a__b", "two underscores"),
        ("ä", "outside of ASCII"),
        ("\u0663", "outside of ASCII"),
        ("a/", ""),
        ("x" * 10_000, "too long"),
        (True, "names separated by commas or spaces, or a count, not True"),
        (1.5, "names separated"),
        (None, "names separated"),
        ([5], "not text"),
        ({"a": 1}, "names separated"),
    ],
)
def test_robots_that_cannot_be_are_refused(written: Any, said: str) -> None:
    if written == "a/":
        assert parse_robots(written) == ("a",)
        return
    with pytest.raises(BlueprintError, match=said) as caught:
        parse_robots(written)
    assert len(str(caught.value)) < 300


# ------------------------------------------------------------------------------------------------ what a path names


def test_a_path_names_a_blueprint_a_class_or_a_function() -> None:
    assert load(BlueprintSource(blueprint="blueprint_modules:robot")) == robot
    assert load(BlueprintSource(blueprint="blueprint_modules:Mapper")) == Mapper.blueprint()
    made = load(BlueprintSource(blueprint="blueprint_modules:arm", arguments={"joints": "6"}))
    assert made["settings"].parameters["count"] == 6


def test_robots_are_copies_or_go_to_a_function_that_takes_them() -> None:
    copies = load(BlueprintSource(blueprint="blueprint_modules:robot", robots=("a", "b")))
    assert copies == autoconnect(robot.namespace("a"), robot.namespace("b"))
    made = load(
        BlueprintSource(blueprint="blueprint_modules:scouts", robots=("a", "b"), arguments={"resolution": "0.5"})
    )
    assert made == scouts(["a", "b"], 0.5)
    with pytest.raises(BlueprintError, match="blueprint_modules:scouts needs robots: name the robots"):
        load(BlueprintSource(blueprint="blueprint_modules:scouts"))
    with pytest.raises(BlueprintError, match="the robots are named twice"):
        load(BlueprintSource(blueprint="blueprint_modules:scouts", robots=("a",), arguments={"robots": "b"}))
    named = load(BlueprintSource(blueprint="blueprint_modules:scouts", arguments={"robots": "a,b", "shared": "no"}))
    assert named == scouts(["a", "b"], shared=False)


@pytest.mark.parametrize(
    ("path", "error", "said"),
    [
        ("", BlueprintError, "there is no blueprint: give its import path"),
        ("blueprint_modules", ClassNotFoundError, "is not an import path"),
        ("blueprint_modules:", ClassNotFoundError, "is not an import path"),
        (":robot", ClassNotFoundError, "is not an import path"),
        ("nowhere.at_all:robot", ClassNotFoundError, "there is no Python module"),
        ("blueprint_modules:robbot", ClassNotFoundError, "it has robot"),
        ("blueprint_modules:TF", ClassNotFoundError, "has no 'TF'"),
        ("math:pi", BlueprintError, "math:pi is float 3.14.*; it must be a Blueprint, a Module class or a function"),
        ("enum:Enum", BlueprintError, "a Blueprint, a Module class or a function"),
        ("dimos_ros:Module", BlueprintError, "a subclass"),
        (
            "blueprint_modules:broken",
            BlueprintError,
            r"raised RuntimeError: the arm is missing \(.*blueprint_modules.py, line \d+\)",
        ),
        ("blueprint_modules:leaving", BlueprintError, "raised SystemExit: no licence for this arm"),
        ("blueprint_modules:forgetful", BlueprintError, "returned None, which is not a Blueprint; return autoconnect"),
        ("blueprint_modules:arm", BlueprintError, "blueprint_modules:arm needs joints"),
        ("x" * 10_000, ClassNotFoundError, "is not an import path"),
        ("机器人:robot", ClassNotFoundError, "there is no Python module"),
        ("..x:y", Exception, "."),
    ],
)
def test_a_path_that_names_no_blueprint_is_told_so(path: str, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said) as caught:
        load(BlueprintSource(blueprint=path))
    assert len(str(caught.value)) < 900


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"joints": "six"}, "argument 'joints' takes int, not str 'six'"),
        ({"joints": 6.5}, "argument 'joints' takes int, not float 6.5"),
        ({"joints": True}, "argument 'joints' takes int, not bool True"),
        ({"joints": 6, "tol": "x"}, "has no argument 'tol'; its arguments: tool"),
        ({"joints": 6, "weights": "1,x"}, "argument 'weights' takes tuple"),
        ({"joints": 2**70}, "count"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(BlueprintError, match=said):
        load(BlueprintSource(blueprint="blueprint_modules:arm", arguments=arguments))


def test_a_blueprint_takes_no_arguments() -> None:
    with pytest.raises(BlueprintError, match="not a function, so it takes no arguments"):
        load(BlueprintSource(blueprint="blueprint_modules:robot", arguments={"x": 1}))
    with pytest.raises(BlueprintError, match="with a fleet file, arguments are given in it"):
        load(BlueprintSource(config="fleet.yaml", arguments={"x": 1}))


@pytest.mark.parametrize(
    ("value", "hint", "converted"),
    [
        ("5", int, 5),
        (" 5 ", int, 5),
        ("5", float, 5.0),
        (5, float, 5.0),
        ("1e-3", float, 0.001),
        ("true", bool, True),
        ("No", bool, False),
        ("1", bool, True),
        (5, str, "5"),
        (True, str, "true"),
        ("a,b", list[str], ["a", "b"]),
        ("1 2", list[int], [1, 2]),
        ("[1, 2]", list[float], [1.0, 2.0]),
        ([1, 2], tuple[float, ...], (1.0, 2.0)),
        ("1,a", tuple[int, str], (1, "a")),
        ("a,b,a", set[str], {"a", "b"}),
        ("a b", Sequence[str], ["a", "b"]),
        ("a b", list, ["a", "b"]),
        ("", list[str], []),
        ("none", int | None, None),
        (None, int | None, None),
        ("", float | None, None),
        ("5", float | None, 5.0),
        ("none", str | None, "none"),
        ("5", OLD_UNION, 5),
        ("x", int | str, "x"),
        ("fast", Literal["slow", "fast"], "fast"),
        ("2", Literal[1, 2], 2),
        ("HOOK", Tool, Tool.HOOK),
        ("hook", Tool, Tool.HOOK),
        ("/tmp/x", Path, Path("/tmp/x")),
        ("{a: 1}", dict[str, float], {"a": 1.0}),
        ({"a": "1"}, Mapping[str, int], {"a": 1}),
        ({"a": 1}, Any, {"a": 1}),
        ([[1], [2]], list[list[int]], [[1], [2]]),
    ],
)
def test_text_becomes_what_a_hint_says(value: Any, hint: Any, converted: Any) -> None:
    result = convert(value, hint)
    assert result == converted and type(result) is type(converted)


@pytest.mark.parametrize(
    ("value", "hint"),
    [
        ("x", int),
        (1.5, int),
        (True, int),
        (None, int),
        ("", int),
        ("x", bool),
        (2, bool),
        (None, str),
        ([1], str),
        ("x", float),
        ("medium", Literal["slow", "fast"]),
        ("SAW", Tool),
        (5, list[int]),
        ({"a": 1}, list[str]),
        ("1", tuple[int, int]),
        ("[1", list[int]),
        ("5", dict),
        ("x", bytes),
        ("x", Tool | None),
        ("x", type(None)),
        (object(), Path),
        ("x", complex),
    ],
)
def test_what_a_hint_does_not_take_is_refused(value: Any, hint: Any) -> None:
    def function(x: Any) -> None: ...

    function.__annotations__["x"] = hint
    with pytest.raises(BlueprintError, match="f: argument 'x' takes "):
        bind(function, {"x": value}, "f")


def test_an_argument_without_hint_is_read_by_its_default() -> None:
    def function(count=3, name="x", whole=None, **more): ...  # type: ignore[no-untyped-def]

    given = {"count": "5", "name": 7, "whole": "5", "other": "1"}
    assert bind(function, given, "f") == {"count": 5, "name": "7", "whole": "5", "other": "1"}


# ------------------------------------------------------------------------------------------------ the value


def test_a_source_survives_json_exactly() -> None:
    source = BlueprintSource(
        blueprint="blueprint_modules:robot",
        robots=("a", "b"),
        params_file="p.yaml",
        arguments={"x": [1, 2.5, None, "a"], "y": {"z": float("nan")}, "flag": True},
        namespace="/fleet/",
        parameters={"mapper": {"resolution": float("inf"), "data": b"\x00"}},
        use_sim_time=True,
        log_level="debug",
    )
    back = BlueprintSource.from_dict(json.loads(json.dumps(source.to_dict(), allow_nan=False)))
    assert back == source and hash(back) == hash(source) and source.namespace == "fleet"
    assert BlueprintSource.from_dict(BlueprintSource().to_dict()) == BlueprintSource()


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"blueprint": 5}, "blueprint is text"),
        ({"config": None}, "config is text"),
        ({"robots": "a,a"}, "named twice"),
        ({"namespace": "a b"}, "not a ROS namespace"),
        ({"parameters": []}, "parameters are a mapping by name"),
        ({"parameters": {"mapper": 5}}, "parameters of 'mapper' are a mapping"),
        ({"parameters": {5: {}}}, "parameters are a mapping by name"),
        ({"parameters": {"mapper": {5: 1}}}, "parameters of 'mapper' are a mapping"),
        ({"arguments": "x=1"}, "arguments are a mapping"),
        ({"log_level": "loud"}, "log_level is one of debug, info, warn, error, fatal, or empty, not 'loud'"),
        ({"log_level": 10}, "log_level is one of"),
        ({"use_sim_time": "yes"}, "use_sim_time is true or false, not 'yes'"),
        ({"use_sim_time": 1}, "use_sim_time is true or false, not 1"),
    ],
)
def test_a_source_of_the_wrong_shape_is_refused(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(BlueprintError, match=said):
        BlueprintSource(**fields)


@pytest.mark.parametrize(("written", "name"), [("WARN", "warn"), ("warning", "warn"), (" Info ", "info"), ("", "")])
def test_a_log_level_has_one_spelling(written: str, name: str) -> None:
    assert BlueprintSource(log_level=written).log_level == name


def test_a_value_that_json_cannot_hold_is_refused_when_it_is_sent() -> None:
    with pytest.raises(BlueprintError, match="is object, which a parameter cannot hold"):
        BlueprintSource(arguments={"x": object()}).to_dict()


def test_everything_goes_into_the_plan() -> None:
    source = BlueprintSource(
        blueprint="blueprint_modules:scouts",
        robots="2",  # type: ignore[arg-type]
        namespace="fleet",
        parameters={"robot2/mapper": {"resolution": 0.5}, "ScanReplay": {"rate": 2}},
        use_sim_time=True,
        log_level="debug",
    )
    planned = compile_source(source)
    assert [str(i.key) for i in planned] == [
        "fleet/fleet_map",
        "fleet/robot1/mapper",
        "fleet/robot1/scan_replay",
        "fleet/robot2/mapper",
        "fleet/robot2/scan_replay",
    ]
    assert {i.request.log_level for i in planned} == {10}
    assert planned["fleet/robot2/mapper"].request.parameters == {
        "resolution": 0.5,
        "use_sim_time": True,
        "localizer": "",
    }
    assert planned["fleet/robot1/scan_replay"].request.parameters == {"rate": 2.0, "use_sim_time": True}
    assert {s.topic for i in planned for s in i.streams if s.name == "map"} == {"/fleet/map"}


def test_a_parameter_for_nobody_is_refused() -> None:
    with pytest.raises(BlueprintError, match="there is no module 'mappr' in this blueprint"):
        load(BlueprintSource(blueprint="blueprint_modules:robot", parameters={"mappr": {"resolution": 1.0}}))


def test_a_source_is_checked_against_what_runs() -> None:
    running = plan(robot.namespace("a")).instances
    source = BlueprintSource(blueprint="blueprint_modules:robot", robots=("a", "b"))
    with pytest.raises(BlueprintError, match=r"a/scan_replay \(ScanReplay\) cannot be added"):
        compile_source(source, running)
    assert {ScanReplay, FleetMap} and len(
        compile_source(BlueprintSource(blueprint="blueprint_modules:robot"), running)
    ) == 2


# ------------------------------------------------------------------------------------------------ the table, as text


def test_text_of_every_field_gives_the_source_that_its_values_give() -> None:
    written = {
        "blueprint": " blueprint_modules:robot ",
        "robots": "a, b",
        "config": "fleet.yaml",
        "params_file": "p.yaml",
        "arguments": "{rate: 20.0, small: 1e-3, on: yes, nested: {x: [1, null]}}",
        "namespace": "/fleet/",
        "parameters": "{mapper: {resolution: 0.5}}",
        "use_sim_time": "true",
        "log_level": "DEBUG",
    }
    assert set(written) == {row.name for row in FIELDS}
    assert read_source(written) == BlueprintSource(
        blueprint="blueprint_modules:robot",
        robots=("a", "b"),
        config="fleet.yaml",
        params_file="p.yaml",
        arguments={"rate": 20.0, "small": 0.001, "on": True, "nested": {"x": [1, None]}},
        namespace="fleet",
        parameters={"mapper": {"resolution": 0.5}},
        use_sim_time=True,
        log_level="debug",
    )


def test_a_field_that_is_left_out_is_its_default() -> None:
    assert read_source({row.name: row.default for row in FIELDS}) == read_source({}) == BlueprintSource()


@pytest.mark.parametrize("row", FIELDS, ids=lambda row: row.name)
def test_the_example_of_a_field_is_text_that_it_takes(row: Any) -> None:
    assert read_source({row.name: row.example}) != BlueprintSource()


@pytest.mark.parametrize("row", FIELDS, ids=lambda row: row.name)
def test_the_help_of_a_field_is_whole_sentences(row: Any) -> None:
    assert row.help[0].isupper() and row.help.endswith(".") and len(row.help) > 30


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"use_sim_time": "perhaps"}, "use_sim_time takes true or false, not 'perhaps'"),
        (
            {"arguments": "{rate: "},
            "arguments:1: this is not YAML: .*; arguments takes a YAML mapping such as {rate: 20",
        ),
        ({"arguments": "20.0"}, "arguments takes a YAML mapping such as {rate: 20.0}, not '20.0'"),
        ({"arguments": "{a: 1, a: 2}"}, "'a' is given twice"),
        ({"arguments": "# nothing"}, "arguments takes a YAML mapping"),
        ({"parameters": "- x"}, "parameters takes a YAML mapping such as {mapper: {resolution: 0.05}}, not '- x'"),
        ({"parameters": "{mapper: 3}"}, "parameters of 'mapper' are a mapping by name, not 3"),
        ({"robots": 2.5}, "robots are names"),
        ({"blueprint": 5}, "blueprint is text, not 5"),
    ],
)
def test_text_that_a_field_does_not_take_is_refused_with_what_it_takes(given: dict[str, Any], said: str) -> None:
    with pytest.raises(BlueprintError, match=said) as caught:
        read_source(given)
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize(
    "text",
    [
        "&a [*a]",
        "{a: &a {b: *a}}",
        "[" * 5000 + "]" * 5000,
        "{a: " * 5000 + "1" + "}" * 5000,
        "{a: " * (MOST_LEVELS + 1) + "1" + "}" * (MOST_LEVELS + 1),
        "{a: " + "[" * MOST_LEVELS + "]" * MOST_LEVELS + "}",
        "{a: &a [1, 1, 1, 1, 1, 1, 1, 1, 1, 1], "
        + ", ".join(f"{y}: &{y} [{', '.join([f'*{x}'] * 10)}]" for x, y in zip("abcdef", "bcdefg", strict=True))
        + "}",
    ],
    ids=[
        "list in itself",
        "mapping in itself",
        "lists",
        "mappings",
        "a level too many",
        "lists in a mapping",
        "laughs",
    ],
)
def test_yaml_without_bounds_is_refused(text: str) -> None:
    with pytest.raises(BlueprintError, match=r"nested too deeply|more than \d+ values"):
        mapping_of_yaml(text, "arguments", "{rate: 20.0}")


def test_yaml_as_deep_as_it_may_be_survives_the_way_to_the_planning_process() -> None:
    source = read_source({"arguments": "{a: " * MOST_LEVELS + "1" + "}" * MOST_LEVELS})
    assert BlueprintSource.from_dict(json.loads(json.dumps(source.to_dict()))) == source


@pytest.mark.parametrize(
    ("text", "value"), [("0.5", 0.5), ("true", True), ("3", 3), ("fast", "fast"), ("{", "{"), ("", "")]
)
def test_a_value_in_yaml_is_that_value_and_other_text_is_itself(text: str, value: Any) -> None:
    assert value_of_yaml(text) == value and type(value_of_yaml(text)) is type(value)


def test_the_service_has_the_fields_of_the_table_with_their_help() -> None:
    text = (Path(__file__).parent.parent / "interfaces" / "srv" / "LoadBlueprint.srv").read_text()
    comment: list[str] = []
    found = {}
    for line in text.partition("\n---\n")[0].splitlines():
        if line.startswith("#"):
            comment.append(line.removeprefix("#").strip())
        elif line:
            kind, _, name = line.partition(" ")
            found[name] = (kind, " ".join(comment))
            comment = []
        else:
            comment = []
    assert found.pop("request_id")[0] == "string"
    assert found == {row.request_name: ("bool" if row.kind is Kind.FLAG else "string", row.help) for row in FIELDS}
