"""What the launch file's arguments come to; needs neither launch nor ROS."""

from __future__ import annotations

import pytest

from dimos_ros.blueprint.source import FIELDS
from dimos_ros.blueprint.source_text import read_source
from dimos_ros.cli.launch_arguments import ARGUMENTS, coordinator_parameters
from dimos_ros.coordinator.from_ros_parameters import read_options
from dimos_ros.coordinator.settings import Settings
from dimos_ros.exceptions import BlueprintError

DEFAULTS = {argument.name: argument.default for argument in ARGUMENTS}


def parameters(**given: str) -> dict[str, object]:
    return coordinator_parameters({**DEFAULTS, **given}, given)


def test_defaults_are_two_robots_of_the_demo() -> None:
    assert parameters() == {
        "robots": "robot1,robot2",
        "blueprint": "dimos_ros.demo.multi_robot:fleet",
        "log_level": "info",
        "fail_fast": True,
        "use_sim_time": False,
    }


def test_with_a_config_the_default_robots_and_blueprint_do_not_interfere() -> None:
    found = parameters(config="fleet.yaml")
    assert found["config"] == "fleet.yaml"
    assert not {"robots", "blueprint"} & set(found)


def test_with_a_config_robots_that_were_typed_count_also_where_they_are_the_default() -> None:
    assert parameters(config="fleet.yaml", robots="robot1,robot2")["robots"] == "robot1,robot2"


def test_a_count_of_robots_stays_text_as_names_would() -> None:
    assert parameters(robots=" 3 ")["robots"] == "3"


@pytest.mark.parametrize("name", ["arguments", "parameters"])
def test_a_mapping_reaches_the_coordinator_as_the_text_that_it_is(name: str) -> None:
    """A ROS parameter could not hold the nested one, the mixed one and the one that is none."""
    text = "{m: {rate: 20.0, show: true, names: [a, b], nested: {x: 1}, mixed: [1, a], none: null}}"
    given = parameters(**{name: text})
    assert given[name] == text
    assert getattr(read_options(given).source, name) == {
        "m": {"rate": 20.0, "show": True, "names": ["a", "b"], "nested": {"x": 1}, "mixed": [1, "a"], "none": None}
    }


def test_the_defaults_and_every_argument_are_parameters_that_the_coordinator_reads() -> None:
    assert read_options(parameters()).source.robots == ("robot1", "robot2")
    given = {row.name: row.example for row in FIELDS} | {"fail_fast": "false"}
    assert set(given) == set(DEFAULTS)
    options = read_options(parameters(**given))
    assert options.source == read_source(given)
    assert options.settings == Settings(fail_fast=False, log_level="debug")


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"fail_fast": "maybe"}, "fail_fast takes true or false, not 'maybe'"),
        ({"use_sim_time": "yes"}, "use_sim_time takes true or false, not 'yes'"),
        ({"arguments": "{rate: "}, "arguments:1: .*; arguments takes a YAML mapping"),
        ({"arguments": "20.0"}, "arguments takes a YAML mapping such as"),
        ({"parameters": "[a]"}, "parameters takes a YAML mapping such as"),
    ],
)
def test_text_that_an_argument_does_not_take_is_refused_with_what_it_takes(
    given: dict[str, str], sentence: str
) -> None:
    with pytest.raises(BlueprintError, match=sentence):
        parameters(**given)


def test_every_argument_says_what_it_is_for() -> None:
    assert all(len(argument.description) > 20 for argument in ARGUMENTS)
