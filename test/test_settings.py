"""Settings of a coordinator, and its ROS parameters, which are settings and the fields of a source."""

from __future__ import annotations

from dataclasses import asdict, fields
from typing import Any

import pytest

from dimos_ros.blueprint.source import FIELDS, BlueprintSource
from dimos_ros.coordinator.from_ros_parameters import PARAMETERS, read_options
from dimos_ros.coordinator.settings import EXECUTORS, Settings
from dimos_ros.exceptions import BlueprintError, DimosError, SettingsError


@pytest.mark.parametrize("field", fields(Settings), ids=lambda field: field.name)
def test_every_setting_has_help_that_can_be_read_alone_and_takes_its_default(field: Any) -> None:
    text = field.metadata["help"]
    assert text[0].isupper() and text.endswith(".") and len(text) > 30
    value = getattr(Settings(), field.name)
    assert value == field.default and type(value) is type(field.default)


@pytest.mark.parametrize(
    ("given", "held"),
    [
        ({"load_timeout": 5}, 5.0),
        ({"respawn_delay": 0}, 0.0),
        ({"spares": 0}, 0),
        ({"executor": "multi"}, "multi"),
        ({"log_level": "WARNING"}, "warn"),
        ({"fail_fast": False}, False),
    ],
)
def test_a_value_is_held_in_the_type_of_its_setting(given: dict[str, Any], held: Any) -> None:
    ((name, _),) = given.items()
    value = getattr(Settings(**given), name)
    assert value == held and type(value) is type(held)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("executor", "fast", "setting executor takes one of events, single, multi, not 'fast'"),
        ("executor", ["events"], "setting executor takes one of events, single, multi, not ['events']"),
        ("log_level", "loud", "takes one of debug, info, warn, error, fatal, or empty text, not 'loud'"),
        ("log_level", 10, "not 10"),
        ("load_timeout", 0, "setting load_timeout takes a finite number of seconds above 0, not 0"),
        ("load_timeout", -1.0, "not -1.0"),
        ("stop_timeout", float("inf"), "not inf"),
        ("stop_timeout", float("nan"), "not nan"),
        ("transition_timeout", True, "not True"),
        ("compile_timeout", "60", "not '60'"),
        ("compile_timeout", 10**400, "a finite number of seconds above 0"),
        ("respawn_delay", -0.1, "setting respawn_delay takes a finite number of seconds, 0 or more, not -0.1"),
        ("spares", -1, "setting spares takes a whole number, 0 or more, not -1"),
        ("spares", True, "not True"),
        ("spares", 1.0, "not 1.0"),
        ("respawn_limit", None, "not None"),
        ("fail_fast", "maybe", "setting fail_fast takes true or false, not 'maybe'"),
        ("respawn", 1, "not 1"),
    ],
)
def test_a_value_that_would_not_work_is_refused_with_those_that_would(name: str, value: Any, said: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.of(**{name: value})
    assert said in str(caught.value) and str(caught.value).startswith(f"setting {name} takes ")
    assert len(str(caught.value)) < 200
    assert isinstance(caught.value, DimosError) and isinstance(caught.value, ValueError)


def test_an_unknown_setting_is_refused_with_the_nearest() -> None:
    with pytest.raises(SettingsError, match="the coordinator has no setting 'spare'; it has spares, "):
        Settings.of(spare=1)
    assert Settings.of(spares=0) == Settings(spares=0)


def test_the_executors_are_those_of_containers() -> None:
    pytest.importorskip("rclpy", reason="needs rclpy")
    from dimos_ros.container.executors import KINDS

    assert EXECUTORS == KINDS


def test_a_coordinator_with_a_wrong_setting_does_not_begin() -> None:
    pytest.importorskip("rclpy", reason="needs rclpy")
    from fleet_modules import robot

    from dimos_ros import ModuleCoordinator

    with pytest.raises(SettingsError, match="setting executor takes one of events, single, multi, not 'fast'"):
        ModuleCoordinator.build(robot, executor="fast")


# ---------------------------------------------------------------------------------------------- ROS parameters


def test_every_field_of_a_source_and_every_setting_is_a_parameter_with_help() -> None:
    assert set(PARAMETERS) == {row.name for row in FIELDS} | {field.name for field in fields(Settings)}
    assert {name: default for name, (default, _) in PARAMETERS.items() if name in asdict(Settings())} == asdict(
        Settings()
    )
    assert read_options({name: default for name, (default, _) in PARAMETERS.items()}) == read_options({})
    assert read_options({}).source == BlueprintSource() and read_options({}).settings == Settings()


def test_parameters_say_the_source_and_the_settings() -> None:
    options = read_options(
        {
            "blueprint": "x:y",
            "robots": 2,
            "arguments.rate": 20.0,
            "parameters.mapper.resolution": 0.5,
            "parameters.mapper.filter.size": 3,
            "parameters.robot2/mapper.resolution": 0.1,
            "namespace": "/up/",
            "use_sim_time": True,
            "log_level": "Debug",
            "stop_timeout": 1,
            "spares": "2",
            "fail_fast": "false",
            "start_type_description_service": True,
            "qos_overrides./clock.subscription.depth": 5,
        }
    )
    assert options.source == BlueprintSource(
        blueprint="x:y",
        robots=("robot1", "robot2"),
        arguments={"rate": 20.0},
        parameters={"mapper": {"resolution": 0.5, "filter.size": 3}, "robot2/mapper": {"resolution": 0.1}},
        namespace="up",
        use_sim_time=True,
        log_level="debug",
    )
    assert options.settings == Settings(stop_timeout=1.0, spares=2, fail_fast=False, log_level="debug")


def test_a_mapping_is_one_text_or_value_by_value() -> None:
    as_text = read_options({"arguments": "{rate: 20.0}", "parameters": "{mapper: {resolution: 0.5}}"})
    assert as_text == read_options({"arguments.rate": 20.0, "parameters.mapper.resolution": 0.5})


@pytest.mark.parametrize(
    ("given", "error", "said"),
    [
        ({"robot": "2"}, BlueprintError, "the coordinator has no parameter 'robot'; it has robots"),
        ({"argument.rate": 1}, BlueprintError, "no parameter 'argument.rate'; it has arguments"),
        ({"x" * 10_000: 1}, BlueprintError, "the coordinator has no parameter 'xxx"),
        ({"blueprint": 3}, BlueprintError, "blueprint is text, not 3"),
        ({"config": ["a"]}, BlueprintError, "config is text"),
        ({"robots": 1.5}, BlueprintError, "robots are names separated by commas or spaces, or a count, not 1.5"),
        ({"robots": None}, BlueprintError, "robots are names"),
        ({"namespace": "a b"}, BlueprintError, "ROS namespace"),
        ({"log_level": "loud"}, DimosError, "log_level is one of debug, info"),
        ({"executor": "fast"}, SettingsError, "setting executor takes one of events, single, multi, not 'fast'"),
        ({"fail_fast": "maybe"}, SettingsError, "setting fail_fast takes true or false, not 'maybe'"),
        ({"spares": "{"}, SettingsError, "setting spares takes a whole number"),
        ({"load_timeout": -1}, SettingsError, "above 0, not -1"),
        (
            {"arguments": "{a: 1}", "arguments.b": 2},
            BlueprintError,
            "arguments are given twice: as one mapping,",
        ),
        ({"parameters.mapper": 3}, BlueprintError, "parameters.mapper names a module but no parameter"),
        ({"parameters": "{mapper: 3}"}, BlueprintError, "parameters of 'mapper' are a mapping by name"),
    ],
)
def test_parameters_that_make_no_sense_are_refused(given: dict[str, Any], error: type[Exception], said: str) -> None:
    with pytest.raises(error) as caught:
        read_options(given)
    assert said in str(caught.value) and len(str(caught.value)) < 600
