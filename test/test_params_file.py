"""Standard ROS parameter files: the parameters and modules they set, and the line in the error of every mistake."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from blueprint_modules import Camera, Localizer, Mapper, Planner, Settings, robot

from dimos_ros import BlueprintError, autoconnect, plan
from dimos_ros.blueprint.compile_source import compile_source
from dimos_ros.blueprint.params_file import apply_params_file
from dimos_ros.blueprint.source import BlueprintSource

Write = Callable[[str], str]

FLEET = autoconnect(
    *(robot.namespace(name) for name in ("robot1", "robot2", "fleet/robot3")), Camera.blueprint(), Settings.blueprint()
)


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(text: str) -> str:
        path = tmp_path / "params.yaml"
        path.write_text(text, encoding="utf-8")
        return str(path)

    return write


def values(path: str, parameter: str) -> dict[str, Any]:
    """Return the modules that have a parameter after the file is applied, with its value."""
    fleet = apply_params_file(FLEET, path)
    return {str(e.key): e.parameters[parameter] for e in fleet if parameter in e.parameters}


@pytest.mark.parametrize(
    ("text", "who"),
    [
        ("/robot1/mapper: {ros__parameters: {resolution: 0.3}}", ["robot1/mapper"]),
        ("robot1/mapper: {ros__parameters: {resolution: 0.3}}", ["robot1/mapper"]),
        ("/robot1: {mapper: {ros__parameters: {resolution: 0.3}}}", ["robot1/mapper"]),
        ("robot1:\n  mapper:\n    ros__parameters:\n      resolution: 3e-1", ["robot1/mapper"]),
        ("/fleet/robot3/mapper: {ros__parameters: {resolution: 0.3}}", ["fleet/robot3/mapper"]),
        ("/*/mapper: {ros__parameters: {resolution: 0.3}}", ["robot1/mapper", "robot2/mapper"]),
        ("/**/mapper: {ros__parameters: {resolution: 0.3}}", ["robot1/mapper", "robot2/mapper", "fleet/robot3/mapper"]),
        ("/**: {ros__parameters: {resolution: 0.3}}", ["robot1/mapper", "robot2/mapper", "fleet/robot3/mapper"]),
        ("/robot2/*: {ros__parameters: {resolution: 0.3}}", ["robot2/mapper"]),
        ("/fleet/**: {ros__parameters: {resolution: 0.3}}", ["fleet/robot3/mapper"]),
        ("/fleet/**/mapper: {ros__parameters: {resolution: 0.3}}", ["fleet/robot3/mapper"]),
        ("/*/arm: {ros__parameters: {joints: 3}}", []),
    ],
)
def test_a_name_or_wildcard_sets_the_modules_it_matches_and_no_others(write: Write, text: str, who: list[str]) -> None:
    assert values(write(text), "resolution") == dict.fromkeys(who, 0.3)


def test_what_every_node_has_is_set_on_all_by_a_wildcard(write: Write) -> None:
    assert len(values(write("/**:\n  ros__parameters:\n    use_sim_time: true\n"), "use_sim_time")) == len(FLEET)


def test_what_comes_later_in_the_file_goes_over_what_came_before(write: Write) -> None:
    first = "/robot1/mapper: {ros__parameters: {resolution: 1.0}}\n"
    every = "/**/mapper: {ros__parameters: {resolution: 2.0}}\n"
    assert values(write(every + first), "resolution")["robot1/mapper"] == 1.0
    assert values(write(first + every), "resolution")["robot1/mapper"] == 2.0


def test_every_type_of_parameter_can_be_written(write: Write) -> None:
    text = """\
/settings:
  ros__parameters:
    on: true
    count: -3
    ratio: .inf
    label: "1"
    data: !!binary AAH/
    flags: [true, false]
    counts: []
    ratios: [1, 2.5, .nan]
    labels: ["a", 'ä']
    maybe: null
"""
    settings = apply_params_file(FLEET, write(text))["settings"].parameters
    expected = {
        "on": True,
        "count": -3,
        "ratio": math.inf,
        "label": "1",
        "data": b"\x00\x01\xff",
        "flags": [True, False],
        "counts": [],
        "ratios": [1.0, 2.5, math.nan],
        "labels": ["a", "ä"],
        "maybe": None,
    }
    assert settings == expected


def test_a_file_goes_over_what_the_blueprint_gave(write: Write) -> None:
    path = write("/a/mapper: {ros__parameters: {resolution: 0.3}}")
    source = BlueprintSource(
        blueprint="blueprint_modules:robot",
        robots=("a", "b"),
        params_file=path,
        parameters={"mapper": {"resolution": 0.5}},
        use_sim_time=True,
    )
    planned = compile_source(source)
    assert planned["a/mapper"].request.parameters["resolution"] == 0.3
    assert planned["b/mapper"].request.parameters["resolution"] == 0.5
    assert all(i.request.parameters["use_sim_time"] is True for i in planned)


def test_one_module_can_keep_its_own_clock(write: Write) -> None:
    path = write("/mapper: {ros__parameters: {use_sim_time: false}}")
    planned = compile_source(BlueprintSource(blueprint="blueprint_modules:robot", params_file=path, use_sim_time=True))
    assert {i.key.name: i.request.parameters["use_sim_time"] for i in planned} == {"mapper": False, "scan_replay": True}


def test_a_required_parameter_can_come_from_the_file(write: Write) -> None:
    path = write("/device: {ros__parameters: {port: /dev/ttyS0}}")
    planned = compile_source(BlueprintSource(blueprint="blueprint_modules:Device", params_file=path))
    assert planned["device"].request.parameters == {"port": "/dev/ttyS0", "peer": ""}


def test_a_reference_is_settled_by_its_parameter(write: Write) -> None:
    fleet = autoconnect(
        Planner.blueprint(), Localizer.blueprint(name="one"), Localizer.blueprint(name="two")
    ).namespace("a")
    settled = apply_params_file(fleet, write("/a/planner: {ros__parameters: {localizer: /a/two}}"))
    assert plan(settled)["a/planner"].references == {"localizer": "/a/two"}


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("", 1, "the file is empty"),
        ("- a\n", 1, "a parameter file must be a mapping, not a list"),
        (
            "/robot1/maper:\n  ros__parameters: {}\n",
            2,
            "there is no module /robot1/maper in the blueprint; it has robot1/mapper",
        ),
        ("/robot9:\n  mapper:\n    ros__parameters: {}\n", 3, "there is no module /robot9/mapper in the blueprint"),
        ("/a//b:\n  ros__parameters: {}\n", 2, "there is no module"),
        (
            "/robot1/mapper:\n  resolution: 0.3\n",
            2,
            "the parameters of /robot1/mapper/resolution must stand below 'ros__parameters:'",
        ),
        ("/robot1/mapper: 5\n", 1, "the parameters of /robot1/mapper must stand below 'ros__parameters:'"),
        ("/robot1/mapper:\n  ros__parameters: [a]\n", 2, "ros__parameters must be a mapping, not a list"),
        ("ros__parameters: {}\n", 1, "ros__parameters must stand below a node's name"),
        ("/:\n  ros__parameters: {}\n", 1, "'/' is not a node's name"),
        (
            "/robot1/mapper:\n  ros__parameters:\n    resolutoin: 0.3\n",
            3,
            "there is no parameter 'resolutoin'; it takes resolution",
        ),
        (
            "/robot1/mapper:\n  ros__parameters:\n    resolution: fine\n",
            3,
            "robot1/mapper (Mapper): parameter 'resolution' takes float",
        ),
        ("/robot1/mapper:\n  ros__parameters:\n    resolution: -1.0\n", 3, "takes 0.001 to ∞, not -1.0"),
        ("/robot1/mapper:\n  ros__parameters:\n    grid:\n      size: 5\n", 4, "there is no parameter 'grid.size'"),
        (
            "/**/mapper:\n  ros__parameters:\n    resolutoin: 0.3\n",
            3,
            "no module that matches /**/mapper has a parameter 'resolutoin'",
        ),
        (
            "/**:\n  ros__parameters:\n    resolution: true\n",
            3,
            "robot1/mapper (Mapper): parameter 'resolution' takes float, not bool",
        ),
        ("/a:\n  ros__parameters: {}\n/a:\n  ros__parameters: {}\n", 3, "'/a' is given twice, first on line 1"),
        ("/a: {\n", 2, "this is not YAML"),
        (f"/{'x' * 1000}:\n  ros__parameters: {{}}\n", 2, "there is no module"),
        (f"/settings:\n  ros__parameters:\n    {'x' * 1000}: 1\n", 3, "there is no parameter"),
        ("/机器人:\n  ros__parameters: {}\n", 2, "there is no module"),
        ("/settings:\n  ros__parameters:\n    label: 2020-01-01\n", 3, "'label' takes str, not date"),
    ],
)
def test_the_error_of_a_mistake_in_a_parameter_file_has_its_line(write: Write, text: str, line: int, said: str) -> None:
    path = write(text)
    with pytest.raises(BlueprintError, match=re.escape(said)) as caught:
        apply_params_file(FLEET, path)
    assert str(caught.value).startswith(f"{path}:{line}: "), str(caught.value)
    assert len(str(caught.value)) < 900


def test_a_file_that_is_not_there_says_so() -> None:
    with pytest.raises(BlueprintError, match=r"/none.yaml: the file cannot be read: No such file"):
        apply_params_file(FLEET, "/none.yaml")
    assert Mapper in FLEET
