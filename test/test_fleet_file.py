"""Fleet files: the fleets they describe, and the line in the error of every mistake."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from blueprint_modules import Camera, FleetMap, Mapper, Settings, robot

from dimos_ros import Blueprint, FleetFileError, autoconnect, plan
from dimos_ros.blueprint.compile_source import compile_source, load
from dimos_ros.blueprint.fleet_blueprint import load_fleet
from dimos_ros.blueprint.source import BlueprintSource

Write = Callable[[str], str]

ROBOT = "blueprint: blueprint_modules:robot"
MIXED = """\
defaults:
  expose: [map]
  parameters:
    mapper: {resolution: 0.2}
robots:
  - name: scout1
    blueprint: blueprint_modules:robot
    parameters:
      mapper: {resolution: 0.05}
      scan_replay: {rate: 2}
    remappings:
      - [mapper, scan, front_scan]
      - [ScanReplay, scan, front_scan]
  - {name: scout2, blueprint: blueprint_modules:robot, dedicated: [mapper]}
  - name: arm1
    blueprint: blueprint_modules:arm
    arguments: {joints: 6, tool: hook, weights: [1, 2.5]}
    namespace: cell/arm1
    disabled: [camera]
  - {name: spare, blueprint: no_such_package:robot, enabled: false}
shared:
  - blueprint_modules:FleetMap
"""


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(text: str) -> str:
        path = tmp_path / "fleet.yaml"
        path.write_text(text, encoding="utf-8")
        return str(path)

    return write


def test_a_fleet_file_means_what_python_says(write: Write) -> None:
    scout1 = robot.with_parameters(Mapper, resolution=0.05).with_parameters("scan_replay", rate=2.0)
    scout1 = scout1.remappings([(Mapper, "scan", "front_scan"), ("scan_replay", "scan", "front_scan")])
    scout2 = robot.with_parameters(Mapper, resolution=0.2).dedicated(Mapper)
    arm = autoconnect(Camera.blueprint(device="/dev/hook"), Settings.blueprint(count=6, ratios=[1.0, 2.5]))
    written = autoconnect(
        scout1.namespace("scout1", expose={"map"}),
        scout2.namespace("scout2", expose={"map"}),
        arm.disabled(Camera).namespace("cell/arm1"),
        FleetMap.blueprint(),
    )
    assert load_fleet(write(MIXED)) == written
    assert plan(load_fleet(write(MIXED))) == plan(written)


def test_robots_choose_some_of_the_file(write: Write) -> None:
    fleet = load_fleet(write(MIXED), robots=("arm1", "scout2"))
    assert {str(e.key) for e in fleet} == {
        *("scout2/scan_replay", "scout2/mapper", "cell/arm1/camera", "cell/arm1/settings", "fleet_map"),
    }
    with pytest.raises(FleetFileError, match=r"fleet.yaml:1: there is no robot 'scout9' in the file; it has scout"):
        load_fleet(write(MIXED), robots=("scout9",))
    with pytest.raises(FleetFileError, match=r"fleet.yaml:20: robot 'spare' is not enabled"):
        load_fleet(write(MIXED), robots=("spare",))


def test_a_name_alone_is_a_copy_of_the_default_or_the_given_blueprint(write: Write) -> None:
    copies = autoconnect(robot.namespace("a"), robot.namespace("b"))
    assert load_fleet(write(f"defaults: {{{ROBOT}}}\nrobots: [a, b]\n")) == copies
    assert load_fleet(write("robots: [a, b]\n"), blueprint="blueprint_modules:robot") == copies
    with pytest.raises(FleetFileError, match=r"fleet.yaml:2: robot 'b' has no blueprint"):
        load_fleet(write(f"robots: [{{name: a, {ROBOT}}},\n b]\n"))


def test_a_robots_own_word_goes_over_the_default(write: Write) -> None:
    text = f"""\
defaults:
  {ROBOT}
  expose: [map, odom]
  enabled: false
  parameters: {{mapper: {{resolution: 0.2, frame_prefix: x}}}}
  remappings: [[mapper, map, grid], [mapper, scan, s]]
robots:
  - {{name: a, enabled: true, expose: [], parameters: {{mapper: {{resolution: 0.3}}}},
     remappings: [[mapper, map, map]]}}
  - b
"""
    (mapper,) = [e for e in load_fleet(write(text)) if e.module is Mapper]
    assert mapper.parameters == {"resolution": 0.3, "frame_prefix": "x"}
    assert mapper.topics == {"scan": "a/s", "map": "a/map"}


def test_shared_blueprints_get_the_robots_names_and_may_have_a_namespace(write: Write) -> None:
    text = f"""\
robots:
  - {{name: a, {ROBOT}}}
shared:
  - {{blueprint: blueprint_modules:scouts, namespace: twin, expose: [fleet_map], arguments: {{resolution: 0.5}}}}
  - {{blueprint: blueprint_modules:FleetMap, enabled: false}}
"""
    fleet = load_fleet(write(text))
    assert {str(e.key) for e in fleet if e.key.namespace != "a"} == {
        "twin/a/scan_replay",
        "twin/a/mapper",
        "twin/fleet_map",
    }
    assert fleet["twin/fleet_map"].topics == {"map": "twin/map", "fleet_map": "fleet_map"}
    assert fleet["twin/a/mapper"].parameters == {"resolution": 0.5}


def test_a_file_may_use_anchors_and_merge_keys(write: Write) -> None:
    text = f"robots:\n  - &one {{name: a, {ROBOT}}}\n  - {{<<: *one, name: b}}\n"
    assert load_fleet(write(text)) == autoconnect(robot.namespace("a"), robot.namespace("b"))


def test_numbers_are_read_as_ros_reads_them(write: Write) -> None:
    text = f"robots:\n  - {{name: a, {ROBOT}, parameters: {{mapper: {{resolution: 5e-2}}}}}}\n"
    assert load_fleet(write(text))["mapper"].parameters == {"resolution": 0.05}


WRONG = [
    ("", 1, "the file is empty"),
    ("# nothing\n", 1, "the file is empty"),
    ("[]\n", 1, "a fleet file must be a mapping, not a list"),
    ("hello\n", 1, "a fleet file must be a mapping, not str 'hello'"),
    ("robots: []\n", 1, "names no robots"),
    ("shared: []\n", 1, "names no robots"),
    ("robots:\n", 1, "robots must be a list, not nothing"),
    ("robots: {a: b}\n", 1, "robots must be a list, not a mapping"),
    (f"\nrobot:\n  - {{name: a, {ROBOT}}}\n", 2, "a fleet file has no 'robot'; it has robots"),
    (f"robots:\n  - {{{ROBOT}}}\n", 2, "a robot needs a name"),
    (f"robots:\n  - {{name: 1, {ROBOT}}}\n", 2, "a robot's name must be text, not int 1; put it in quotes"),
    (f"robots:\n  - {{name: on, {ROBOT}}}\n", 2, "a robot's name must be text, not bool True; put it in quotes"),
    (f"robots:\n  - name: 1bot\n    {ROBOT}\n", 2, "starts with a digit; 'r1bot' would do"),
    (f"robots:\n  - {ROBOT}\n    name: robot 1\n", 3, "'robot 1' is not a ROS namespace"),
    (f"robots:\n  - {ROBOT}\n    name: ''\n", 3, "a robot's name must be text"),
    (f"robots:\n  - {{name: a, {ROBOT}}}\n  - {{name: a, {ROBOT}}}\n", 3, "there is already a robot 'a', on line 2"),
    (
        f"robots:\n  - {{name: a, {ROBOT}}}\n  - {{name: b, namespace: a, {ROBOT}}}\n",
        3,
        "already a robot 'a', on line 2",
    ),
    (f"robots:\n  - {{name: a, {ROBOT}}}\n  - {{name: /a, {ROBOT}}}\n", 3, "already a robot 'a', on line 2"),
    (f"robots:\n  - {{name: a, namespace: /, {ROBOT}}}\n", 2, "the namespace of robot 'a' is empty"),
    (f"robots:\n  - name: a\n    {ROBOT}\n    paramters: {{}}\n", 4, "a robot has no 'paramters'; it has parameters"),
    ("robots:\n  - name: a\n    blueprint: nowhere:robot\n", 3, "there is no Python module 'nowhere'"),
    ("robots:\n  - name: a\n    blueprint: blueprint_modules:robbot\n", 3, "has no 'robbot'; it has robot"),
    ("robots:\n  - name: a\n    blueprint: blueprint_modules\n", 3, "is not an import path"),
    (
        "robots:\n  - name: a\n    blueprint: blueprint_modules:Resettable\n",
        3,
        "a Blueprint, a Module class or a function",
    ),
    ("robots:\n  - name: a\n    blueprint: blueprint_modules:broken\n", 3, "raised RuntimeError: the arm is missing"),
    (
        "robots:\n  - name: a\n    blueprint: blueprint_modules:forgetful\n",
        3,
        "returned None, which is not a Blueprint",
    ),
    ("robots:\n  - name: a\n    blueprint: [x]\n", 3, "the blueprint of robot 'a' must be text, not a list"),
    ("robots:\n  - name: a\n    blueprint: blueprint_modules:arm\n", 3, "blueprint_modules:arm needs joints"),
    (
        "robots:\n  - name: a\n    blueprint: blueprint_modules:arm\n    arguments: {joints: many}\n",
        4,
        "argument 'joints' takes int, not str 'many'",
    ),
    (f"robots:\n  - name: a\n    {ROBOT}\n    arguments: {{x: 1}}\n", 3, "is not a function, so it takes no arguments"),
    (
        f"robots:\n  - name: a\n    {ROBOT}\n    arguments: [1]\n",
        4,
        "arguments of robot 'a' must be a mapping, not a list",
    ),
    (
        f"robots:\n  - name: a\n    {ROBOT}\n    enabled: 'no'\n",
        4,
        "enabled of robot 'a' must be true or false, not str 'no'",
    ),
    (
        f"robots:\n  - name: a\n    {ROBOT}\n    parameters:\n      mapper:\n        resolution: 0.1\n"
        "        resolutoin: 1.0\n",
        7,
        "mapper (Mapper): there is no parameter 'resolutoin'; it takes resolution",
    ),
    (
        f"robots:\n  - name: a\n    {ROBOT}\n    parameters:\n      mapper:\n        resolution: fine\n",
        6,
        "parameter 'resolution' takes float, not str 'fine'",
    ),
    (f"robots:\n  - name: a\n    {ROBOT}\n    parameters:\n      mappr: {{}}\n", 5, "there is no module 'mappr'"),
    (
        f"robots:\n  - name: a\n    {ROBOT}\n    parameters: {{mapper: 5}}\n",
        4,
        "parameters of module 'mapper' must be a mapping",
    ),
    (f"robots:\n  - name: a\n    {ROBOT}\n    remappings:\n      - [mapper, scn, x]\n", 5, "'scn' is neither a stream"),
    (
        f"robots:\n  - name: a\n    {ROBOT}\n    remappings:\n      - [camera, scan, x]\n",
        5,
        "there is no module 'camera'",
    ),
    (f"robots:\n  - name: a\n    {ROBOT}\n    remappings:\n      - [mapper, scan]\n", 5, "a remapping must be [module"),
    (
        f"robots:\n  - name: a\n    {ROBOT}\n    remappings:\n      - [mapper, scan, 5]\n",
        5,
        "a name in a remapping must be text",
    ),
    (f"robots:\n  - name: a\n    {ROBOT}\n    remappings:\n      - mapper\n", 5, "a remapping must be a list, not str"),
    (
        f"robots:\n  - name: a\n    {ROBOT}\n    expose:\n      - map\n      - mpa\n",
        6,
        "expose 'mpa' matches no stream",
    ),
    (f"robots:\n  - name: a\n    {ROBOT}\n    expose: map\n", 4, "expose of robot 'a' must be a list, not str 'map'"),
    (f"robots:\n  - name: a\n    {ROBOT}\n    expose: [5]\n", 4, "an entry of expose must be text"),
    (f"robots:\n  - name: a\n    {ROBOT}\n    disabled: [camera]\n", 4, "there is no module 'camera'"),
    (f"robots:\n  - name: {'a' * 240}\n    {ROBOT}\n", 2, "ROS accepts 247"),
    (f"robots:\n  - name: {'a' * 10_000}\n    {ROBOT}\n", 2, "is too long"),
    (f"robots:\n  - name: a\n    name: b\n    {ROBOT}\n", 3, "'name' is given twice, first on line 2"),
    (f"robots:\n  - name: 机器人\n    {ROBOT}\n", 2, "outside of ASCII"),
    (f"defaults:\n  {ROBOT}\n  expose: [map, nothing]\nrobots: [a]\n", 3, "no robot of the file has a topic 'nothing'"),
    (
        f"defaults:\n  {ROBOT}\n  parameters:\n    camra: {{device: x}}\nrobots: [a]\n",
        4,
        "no robot of the file has a module 'camra'",
    ),
    (
        f"defaults:\n  {ROBOT}\n  remappings:\n    - [camra, image, x]\nrobots: [a]\n",
        4,
        "no robot of the file has a module 'camra'",
    ),
    (f"defaults:\n  {ROBOT}\n  parameters:\n    mapper: {{x: 1}}\nrobots: [a]\n", 4, "there is no parameter 'x'"),
    (f"defaults:\n  {ROBOT}\n  namespace: x\nrobots: [a]\n", 3, "defaults has no 'namespace'"),
    ("shared:\n  - {}\n", 2, "a shared blueprint needs an import path"),
    (
        "shared:\n  - blueprint_modules:FleetMap\n  - blueprint_modules:FleetMap\n",
        3,
        "there is already a module fleet_map",
    ),
    ("shared:\n  - {blueprint: blueprint_modules:FleetMap, expose: [map]}\n", 2, "nothing to expose"),
    (
        f"robots:\n  - {{name: a, {ROBOT}\n  - b\n",
        4,
        "this is not YAML: while parsing a flow mapping that begins on line 2",
    ),
    ("robots: [\n", 2, "this is not YAML"),
    ("robots:\n\t- a\n", 2, "this is not YAML"),
    ("robots: *missing\n", 1, "undefined alias"),
    ("a: 1\n---\nb: 2\n", 2, "this is not YAML"),
    ("robots: !!python/object/apply:os.getcwd []\n", 1, "this is not YAML"),
    ("robots: !!python/name:os.system ''\n", 1, "this is not YAML"),
    ("1: x\n", 1, "a fleet file has no '1'"),
    ("on: x\n", 1, "a fleet file has no 'on'"),
    ("? [a, b]\n: x\n", 1, "a key must be text, not a sequence"),
    ("robots: &a [*a]\n", 1, "nested too deeply"),
    ("robots: " + "[" * 1000 + "\n", 1, "nested too deeply"),
    ("robots:\n  - \x07\n", 2, "special characters are not allowed"),
]


@pytest.mark.parametrize(
    ("text", "line", "said"), WRONG, ids=[f"{i}-{said[:30]}" for i, (_, _, said) in enumerate(WRONG)]
)
def test_the_error_of_a_mistake_in_a_fleet_file_has_its_line(write: Write, text: str, line: int, said: str) -> None:
    path = write(text)
    with pytest.raises(FleetFileError, match=re.escape(said)) as caught:
        load_fleet(path)
    assert str(caught.value).startswith(f"{path}:{line}: "), str(caught.value)
    assert len(str(caught.value)) < 900


def test_aliases_of_aliases_do_not_fill_the_memory(write: Write) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    with pytest.raises(FleetFileError, match="aliases of aliases"):
        load_fleet(write("\n".join(lines)))


def test_a_file_that_cannot_be_read_says_why(tmp_path: Path) -> None:
    with pytest.raises(FleetFileError, match=r"none.yaml: the file cannot be read: No such file"):
        load_fleet(str(tmp_path / "none.yaml"))
    with pytest.raises(FleetFileError, match="cannot be read: Is a directory"):
        load_fleet(str(tmp_path))
    with pytest.raises(FleetFileError, match="cannot be read"):
        load_fleet("x" * 10_000)
    with pytest.raises(FleetFileError, match="cannot be read"):
        load_fleet("a\x00b")
    (tmp_path / "latin.yaml").write_bytes(b"robots:\n  - \xe4\n")
    with pytest.raises(FleetFileError, match=r"latin.yaml:2: this is not UTF-8"):
        load_fleet(str(tmp_path / "latin.yaml"))
    (tmp_path / "marked.yaml").write_bytes(b"\xef\xbb\xbfshared: [blueprint_modules:FleetMap]\r\n")
    assert load_fleet(str(tmp_path / "marked.yaml")) == FleetMap.blueprint()


def test_an_error_of_the_plan_has_the_line_of_the_robot(write: Write) -> None:
    path = write(f"robots:\n  - {{name: a, {ROBOT}}}\n  - {{name: b, blueprint: blueprint_modules:Device}}\n")
    with pytest.raises(
        FleetFileError, match=r"fleet.yaml:3: b/device \(Device\): parameter 'port' \(str\) must be set"
    ):
        compile_source(BlueprintSource(config=path))
    with pytest.raises(FleetFileError, match=r"fleet.yaml:3: up/b/device"):
        compile_source(BlueprintSource(config=path, namespace="up"))
    both = f"robots:\n  - {{name: a, {ROBOT}, expose: [map]}}\n  - {{name: b, expose: [map], "
    both += "blueprint: blueprint_modules:Chatter}\n"
    with pytest.raises(FleetFileError, match=r"fleet.yaml:3: two types meet on topic /map"):
        compile_source(BlueprintSource(config=write(both)))


def test_a_source_joins_the_file_with_the_rest(write: Write) -> None:
    source = BlueprintSource(
        config=write(MIXED), robots=("scout2",), parameters={"scout2/mapper": {"resolution": 1}}, namespace="f"
    )
    fleet = load(source)
    assert isinstance(fleet, Blueprint)
    assert fleet["f/scout2/mapper"].parameters == {"resolution": 1.0}
    assert fleet["f/scout2/mapper"].topics["map"] == "f/map"
