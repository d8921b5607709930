"""Composition: the parts of a blueprint, and the mistakes that are refused when it is written."""

from __future__ import annotations

import copy
import pickle
from dataclasses import FrozenInstanceError

import pytest
from blueprint_modules import (
    Camera,
    Device,
    FastMapper,
    FleetMap,
    GpsLocalizer,
    Isolated,
    Localizer,
    Mapper,
    Planner,
    ScanReplay,
    Settings,
    robot,
)

from dimos_ros import Blueprint, BlueprintError, DimosError, InvalidNameError, Module, Out, autoconnect, plan

LONG = "x" * 10_000


def keys(blueprint: Blueprint) -> list[str]:
    return [str(entry.key) for entry in blueprint]


def topics(blueprint: Blueprint) -> dict[str, str]:
    """Return the absolute topic of every stream of the plan, by ``instance.stream``."""
    return {f"{i.key}.{s.name}": s.topic for i in plan(blueprint) for s in i.streams}


# ------------------------------------------------------------------------------------------------ one module


def test_a_module_is_named_after_its_class_unless_it_is_given_a_name() -> None:
    assert keys(ScanReplay.blueprint()) == ["scan_replay"]
    assert keys(ScanReplay.blueprint(name="front")) == ["front"]


@pytest.mark.parametrize(
    "name", ["1bot", "a__b", "robot 1", "", "a/b", "/a", "höhe", "机器人", "a-b", "~x", 5, None.__class__, LONG]
)
def test_a_node_name_that_ros_refuses_is_refused_where_it_is_written(name: object) -> None:
    with pytest.raises(InvalidNameError, match=r"Mapper\.blueprint\(name=…\)") as caught:
        Mapper.blueprint(name=name)  # type: ignore[arg-type]
    assert len(str(caught.value)) < 400


def test_a_class_whose_name_makes_no_node_name_asks_for_one() -> None:
    cls = type("Kärtchen", (Module,), {"__module__": "blueprint_modules"})
    with pytest.raises(
        InvalidNameError, match=r"Kärtchen does not make a node name; pass one as name=….*'k_rtchen' would do"
    ):
        cls.blueprint()
    assert keys(cls.blueprint(name="cards")) == ["cards"]


def test_a_class_of_the_started_program_says_where_to_put_it() -> None:
    cls = type("Local", (Module,), {"__module__": "__main__"})
    with pytest.raises(BlueprintError, match=r"__main__.*from my_modules import Local"):
        cls.blueprint()


def test_a_class_inside_a_function_is_refused() -> None:
    class Hidden(Module):
        pass

    with pytest.raises(BlueprintError, match="inside a function"):
        Hidden.blueprint()


def test_module_itself_makes_no_blueprint() -> None:
    with pytest.raises(BlueprintError, match="subclass"):
        Module.blueprint()


def test_a_stream_whose_attribute_is_not_a_topic_is_refused() -> None:
    cls = type(
        "Odd", (Module,), {"__module__": "blueprint_modules", "__annotations__": {"a__b": Out["std_msgs/msg/String"]}}
    )
    with pytest.raises(InvalidNameError, match=r"odd \(Odd\): stream 'a__b'"):
        cls.blueprint()


# ------------------------------------------------------------------------------------------------ parameters


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ({"on": True}, {"on": True}),
        ({"ratio": 2}, {"ratio": 2.0}),
        ({"ratio": float("inf")}, {"ratio": float("inf")}),
        ({"data": b"\x00\xff"}, {"data": b"\x00\xff"}),
        ({"ratios": [1, 2.5]}, {"ratios": [1.0, 2.5]}),
        ({"ratios": (1, 2)}, {"ratios": [1.0, 2.0]}),
        ({"ratios": []}, {"ratios": []}),
        ({"labels": ["ä", ""]}, {"labels": ["ä", ""]}),
        ({"mode": "fast"}, {"mode": "fast"}),
        ({"maybe": None}, {"maybe": None}),
        ({"maybe": 1}, {"maybe": 1.0}),
        ({"count": 2**63 - 1}, {"count": 2**63 - 1}),
        ({"use_sim_time": True}, {"use_sim_time": True}),
        ({"frame_prefix": "r1/"}, {"frame_prefix": "r1/"}),
    ],
)
def test_parameters_are_kept_as_the_type_they_are_declared_with(given: dict, kept: dict) -> None:
    (entry,) = Settings.blueprint(**given)
    assert entry.parameters == kept
    assert all(type(entry.parameters[name]) is type(value) for name, value in kept.items())


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"cuont": 1}, r"settings \(Settings\): there is no parameter 'cuont'; it takes count, counts"),
        ({LONG: 1}, "there is no parameter"),
        ({"count": 1.0}, "'count' takes int, not float 1.0"),
        ({"count": True}, "'count' takes int, not bool True"),
        ({"count": 2**63}, "'count' takes int"),
        ({"count": None}, "'count' takes int, not nothing"),
        ({"on": 1}, "'on' takes bool"),
        ({"on": "true"}, "'on' takes bool"),
        ({"label": b"x"}, "'label' takes str"),
        ({"label": 5}, "'label' takes str"),
        ({"data": "x"}, "'data' takes bytes"),
        ({"ratios": 1.0}, r"'ratios' takes float\[\]"),
        ({"ratios": "12"}, r"'ratios' takes float\[\]"),
        ({"ratios": [1.0, None]}, r"'ratios' takes float\[\]"),
        ({"ratios": [[1.0]]}, r"'ratios' takes float\[\]"),
        ({"labels": LONG}, r"'labels' takes str\[\]"),
        ({"counts": [1, True]}, r"'counts' takes int\[\]"),
        ({"mode": "medium"}, "'mode' is one of 'slow', 'fast'"),
        ({"limited": float("nan")}, "'limited' takes 0.0 to 1.0, not nan"),
        ({"speed": None}, "'speed' cannot be set to None"),
        ({"use_sim_time": "yes"}, "'use_sim_time' takes bool"),
    ],
)
def test_a_parameter_that_does_not_fit_is_refused_where_it_is_written(given: dict, said: str) -> None:
    with pytest.raises(BlueprintError, match=said) as caught:
        Settings.blueprint(**given)
    assert len(str(caught.value)) < 500


def test_bounds_of_a_parameter_hold() -> None:
    with pytest.raises(
        BlueprintError, match=r"scan_replay \(ScanReplay\): parameter 'rate' takes 0.0 to 100.0, not 101"
    ):
        ScanReplay.blueprint(rate=101)


def test_a_stream_given_as_a_parameter_says_how_streams_move() -> None:
    with pytest.raises(BlueprintError, match=r"no parameter 'scan'; it is a stream, which \.remappings\(\) moves"):
        Mapper.blueprint(scan="laser")


def test_parameters_can_be_set_later_by_class_name_and_path() -> None:
    fleet = autoconnect(robot.namespace("a"), robot.namespace("b"))
    fleet = fleet.with_parameters(Mapper, resolution=0.2).with_parameters("b/mapper", resolution=0.3)
    assert [fleet[name].parameters["resolution"] for name in ("a/mapper", "b/mapper")] == [0.2, 0.3]
    with pytest.raises(BlueprintError, match=r"b/mapper \(Mapper\): there is no parameter 'x'"):
        fleet.with_parameters("b/mapper", x=1)
    with pytest.raises(BlueprintError, match=r"no module 'mappr' in this blueprint; it has ./mapper"):
        fleet.with_parameters("mappr", resolution=1.0)


# ------------------------------------------------------------------------------------------------ namespaces


def test_one_namespace_has_one_spelling() -> None:
    assert robot.namespace("robot1") == robot.namespace("/robot1") == robot.namespace("/robot1/")


@pytest.mark.parametrize(
    "prefix", ["", "/", "//", "1bot", "a__b", "robot 1", "a//b", "a/1", "ä", "~", "{x}", 3, None, LONG]
)
def test_a_namespace_that_ros_refuses_is_refused_where_it_is_written(prefix: object) -> None:
    with pytest.raises(InvalidNameError) as caught:
        robot.namespace(prefix)  # type: ignore[arg-type]
    assert len(str(caught.value)) < 400


def test_a_namespace_too_long_for_its_topics_is_refused() -> None:
    assert robot.namespace("n" * 150)
    with pytest.raises(InvalidNameError, match=r"scan_replay.*characters with its namespace; ROS accepts 247"):
        robot.namespace("n" * 230)
    with pytest.raises(InvalidNameError, match="ROS accepts"):
        robot.namespace("n" * 100).namespace("m" * 130)


def test_streams_of_two_namespaces_never_meet_and_exposed_ones_do() -> None:
    found = topics(autoconnect(robot.namespace("a", expose={"map"}), robot.namespace("b", expose={"map"})))
    assert found["a/mapper.map"] == found["b/mapper.map"] == "/map"
    rest = [topic for name, topic in found.items() if not name.endswith(".map")]
    assert sorted(rest) == ["/a/odom", "/a/scan", "/a/scan", "/b/odom", "/b/scan", "/b/scan"]


def test_namespaces_nest_with_topics_exposed_at_different_levels() -> None:
    inner = robot.namespace("robot1", expose={"map", "odom"})
    fleet = inner.namespace("fleet", expose={"map", "robot1/scan"})
    assert keys(fleet) == ["fleet/robot1/scan_replay", "fleet/robot1/mapper"]
    assert topics(fleet) == {
        "fleet/robot1/mapper.scan": "/robot1/scan",
        "fleet/robot1/scan_replay.scan": "/robot1/scan",
        "fleet/robot1/scan_replay.odom": "/fleet/odom",
        "fleet/robot1/mapper.map": "/map",
    }
    assert keys(robot.namespace("a/b")) == keys(robot.namespace("b").namespace("a"))


@pytest.mark.parametrize(
    ("expose", "said"),
    [
        ({"mpa"}, r"expose 'mpa' matches no stream; there are map"),
        ({"/map"}, r"write the topic without the namespace and its slash: 'map'"),
        ("map", r"expose takes a set of topics: expose=\{'map'\}"),
        (5, "expose takes a set"),
        ([5], "a topic must be text"),
        ([["map"]], "a topic must be text"),
        ([""], "matches no stream"),
        ([LONG], "matches no stream"),
        (["map", "x"], "'x' matches no stream"),
    ],
)
def test_an_expose_that_matches_no_stream_is_refused_where_it_is_written(expose: object, said: str) -> None:
    with pytest.raises(BlueprintError, match=said) as caught:
        robot.namespace("a", expose=expose)  # type: ignore[arg-type]
    assert len(str(caught.value)) < 400


def test_expose_of_a_stream_that_was_moved_says_where_it_is() -> None:
    moved = robot.remappings([(Mapper, "map", "grid")])
    with pytest.raises(BlueprintError, match=r"mapper \(Mapper\)'s is on 'grid'"):
        moved.namespace("a", expose={"map"})
    assert topics(moved.namespace("a", expose={"grid"}))["a/mapper.map"] == "/grid"
    absolute = robot.remappings([(Mapper, "map", "/map")])
    with pytest.raises(BlueprintError, match="absolute"):
        absolute.namespace("a", expose={"/map"})


def test_a_module_reads_back_what_another_exposed() -> None:
    fleet = autoconnect(robot.namespace("a", expose={"map"}), FleetMap.blueprint())
    assert topics(fleet)["fleet_map.map"] == topics(fleet)["a/mapper.map"] == "/map"


# ------------------------------------------------------------------------------------------------ remappings


def test_a_remapping_is_relative_to_the_namespace_or_absolute() -> None:
    moved = robot.namespace("a").remappings(
        [(ScanReplay, "scan", "front/scan"), ("mapper", "scan", "/raw"), (Mapper, "map", "~/map")]
    )
    assert topics(moved) == {
        "a/mapper.scan": "/raw",
        "a/mapper.map": "/a/mapper/map",
        "a/scan_replay.scan": "/a/front/scan",
        "a/scan_replay.odom": "/a/odom",
    }
    assert topics(moved.namespace("f"))["f/a/mapper.scan"] == "/raw", "an absolute topic stays absolute"
    assert topics(moved.namespace("f"))["f/a/mapper.map"] == "/f/a/mapper/map"


def test_of_two_instances_of_a_class_one_is_moved_by_its_name() -> None:
    pair = autoconnect(Camera.blueprint(name="left"), Camera.blueprint(name="right", device="/dev/video1"))
    moved = pair.remappings([("left", "image", "left/image")]).namespace("r")
    assert topics(moved) == {"r/left.image": "/r/left/image", "r/right.image": "/r/image"}
    both = pair.remappings([(Camera, "image", "picture")])
    assert set(topics(both).values()) == {"/picture"}


def test_a_class_means_its_subclasses_too_and_its_name_works_as_text() -> None:
    two = autoconnect(Mapper.blueprint(), FastMapper.blueprint())
    assert {e.topics["map"] for e in two.remappings([(Mapper, "map", "grid")])} == {"grid"}
    assert [e.topics["map"] for e in two.remappings([("FastMapper", "map", "grid")])] == ["map", "grid"]


def test_swapping_two_topics_does_not_chain() -> None:
    swapped = ScanReplay.blueprint().remappings([(ScanReplay, "scan", "odom"), (ScanReplay, "odom", "scan")])
    assert topics(swapped) == {"scan_replay.scan": "/odom", "scan_replay.odom": "/scan"}


@pytest.mark.parametrize(
    ("remapping", "said"),
    [
        ((Mapper, "scna", "x"), r"mapper \(Mapper\): 'scna' is neither a stream nor a reference of it; it has scan"),
        ((Camera, "image", "x"), "there is no module Camera in this blueprint; it has"),
        (("mappr", "scan", "x"), "there is no module 'mappr' in this blueprint; it has mapper"),
        ((Mapper, "scan", "1x"), r"mapper \(Mapper\): stream 'scan': '1x' is not a ROS topic.*'r1x' would do"),
        ((Mapper, "scan", ""), "is not a ROS topic"),
        ((Mapper, "scan", None), "is not text"),
        ((Mapper, "scan", LONG), "ROS accepts 247"),
        ((Mapper, "scan", "/" + LONG), "ROS accepts 247"),
        ((Mapper, LONG, "x"), "neither a stream"),
        ((LONG, "scan", "x"), "there is no module"),
        ((Mapper, ["scan"], "x"), "neither a stream"),
        ((object, "scan", "x"), "its class or its name"),
        ((Mapper, "scan"), r"a remapping must be \(module, old name, new name\)"),
        ("abc", r"a remapping must be \(module, old name, new name\)"),
        ((Mapper, "localizer", "a b"), "reference 'localizer'"),
        ((Mapper, "localizer", 5), "takes an instance's name, a Module subclass or None"),
    ],
)
def test_a_remapping_that_matches_nothing_is_refused_where_it_is_written(remapping: tuple, said: str) -> None:
    with pytest.raises(BlueprintError, match=said) as caught:
        robot.remappings([remapping])
    assert len(str(caught.value)) < 700


def test_a_remapping_without_its_list_says_so() -> None:
    with pytest.raises(BlueprintError, match="takes a list"):
        robot.remappings((Mapper, "scan", "x"))  # type: ignore[arg-type]


def test_a_needed_reference_cannot_be_none() -> None:
    with pytest.raises(BlueprintError, match=r"planner \(Planner\): reference 'localizer' cannot be None"):
        Planner.blueprint(localizer=None)


# ------------------------------------------------------------------------------------------------ autoconnect


def test_a_later_instance_of_the_same_class_replaces_the_earlier_in_its_place() -> None:
    replaced = autoconnect(robot, Mapper.blueprint(resolution=0.5), Camera.blueprint())
    assert keys(replaced) == ["scan_replay", "mapper", "camera"]
    assert replaced["mapper"].parameters == {"resolution": 0.5}


def test_a_subclass_replaces_and_another_class_only_on_purpose() -> None:
    assert autoconnect(Mapper.blueprint(), FastMapper.blueprint(name="mapper"))["mapper"].module is FastMapper
    with pytest.raises(BlueprintError, match=r"mapper would be two modules, FastMapper and Mapper.*replace=True"):
        autoconnect(FastMapper.blueprint(name="mapper"), Mapper.blueprint())
    with pytest.raises(
        BlueprintError, match=r"a/mapper would be two modules, Mapper and Camera: give one another name"
    ):
        autoconnect(robot.namespace("a"), Camera.blueprint(name="mapper").namespace("a"))
    replaced = autoconnect(robot, Camera.blueprint(name="mapper"), replace=True)
    assert replaced["mapper"].module is Camera


def test_the_same_names_in_other_namespaces_stay_apart() -> None:
    assert len(autoconnect(robot, robot.namespace("a"), robot.namespace("a/b"))) == 6


@pytest.mark.parametrize(
    ("argument", "said"),
    [
        (Mapper, r"Mapper\.blueprint\(\), not the class Mapper"),
        ([robot], r"one by one: autoconnect\(\*blueprints\)"),
        ("robot", "takes blueprints, not 'robot'"),
        (None, "takes blueprints, not None"),
    ],
)
def test_autoconnect_says_what_it_takes(argument: object, said: str) -> None:
    with pytest.raises(BlueprintError, match=said):
        autoconnect(argument)  # type: ignore[arg-type]


# ------------------------------------------------------------------------------------------------ disabled, dedicated


def test_a_disabled_module_is_left_out_and_still_found_by_expose_and_remappings() -> None:
    without = robot.disabled(Mapper)
    assert [str(i.key) for i in plan(without)] == ["scan_replay"]
    assert without.remappings([(Mapper, "scan", "laser")]).namespace("a", expose={"map"})
    assert len(plan(autoconnect(without, Mapper.blueprint()))) == 2, "composed again, it is back"


def test_disabled_and_dedicated_need_modules_that_are_there() -> None:
    with pytest.raises(BlueprintError, match="no module Camera"):
        robot.disabled(Mapper, Camera)
    with pytest.raises(BlueprintError, match="no module 'nobody'"):
        robot.dedicated("nobody")


def test_a_dedicated_module_has_a_container_of_its_own() -> None:
    groups = {str(i.key): i.container for i in plan(robot.dedicated("mapper").namespace("a"))}
    assert groups == {"a/scan_replay": "/a/container", "a/mapper": "/a/mapper_container"}
    assert [i.container for i in plan(Isolated.blueprint())] == ["/isolated_container"]


# ------------------------------------------------------------------------------------------------ value semantics


def test_methods_leave_the_blueprint_as_it_was() -> None:
    before = copy.deepcopy(robot)
    robot.namespace("a", expose={"map"})
    robot.remappings([(Mapper, "scan", "x")])
    robot.disabled(Mapper)
    robot.dedicated(Mapper)
    robot.with_parameters(Mapper, resolution=1.0)
    autoconnect(robot, Mapper.blueprint(resolution=2.0))
    assert robot == before


def test_nothing_of_a_blueprint_can_be_changed() -> None:
    values = [1.0, 2.0]
    one = Settings.blueprint(ratios=values)
    values.append(3.0)
    one["settings"].parameters["ratios"].append(4.0)
    assert one["settings"].parameters["ratios"] == [1.0, 2.0]
    with pytest.raises(FrozenInstanceError):
        one.entries = ()  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError):
        one.entries[0].enabled = False  # type: ignore[misc]
    with pytest.raises(TypeError):
        one["settings"].parameters["ratio"] = 1.0  # type: ignore[index]


def test_equal_blueprints_are_equal_values() -> None:
    nan = float("nan")
    assert Settings.blueprint(ratio=nan) == Settings.blueprint(ratio=float("nan"))
    assert hash(Settings.blueprint(ratio=nan)) == hash(Settings.blueprint(ratio=-nan))
    assert Settings.blueprint(ratio=0.0) != Settings.blueprint(ratio=-0.0)
    assert len({robot, robot.namespace("a"), autoconnect(robot), robot.namespace("/a")}) == 2
    assert pickle.loads(pickle.dumps(robot)) == robot
    assert Mapper.blueprint() != FastMapper.blueprint(name="mapper")


def test_a_blueprint_shows_what_it_holds() -> None:
    assert repr(robot.disabled(Mapper).namespace("a")) == (
        "<Blueprint: a/scan_replay (ScanReplay), a/mapper (Mapper) disabled>"
    )
    assert Mapper in robot and "mapper" in robot and Camera not in robot and "nobody" not in robot and 5 not in robot
    with pytest.raises(BlueprintError, match="any of a/mapper, b/mapper"):
        autoconnect(robot.namespace("a"), robot.namespace("b"))["mapper"]


def test_every_refusal_is_caught_as_the_package_s_own_error() -> None:
    for wrong in (lambda: robot.namespace(""), lambda: Device.blueprint(x=1), lambda: autoconnect(1)):  # type: ignore[arg-type]
        with pytest.raises(DimosError):
            wrong()
        with pytest.raises(ValueError, match=r"."):
            wrong()


def test_localizers_inherit_streams() -> None:
    assert GpsLocalizer.blueprint()["gps_localizer"].topics == Localizer.blueprint()["localizer"].topics
