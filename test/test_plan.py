"""The plan: load requests, references, order, and the blueprints that are refused because they could not run."""

from __future__ import annotations

import itertools
import json
import random
import time
from dataclasses import replace

import blueprint_modules
import pytest
from blueprint_modules import (
    Camera,
    Chatter,
    Device,
    FastMapper,
    FleetMap,
    GpsLocalizer,
    LateReader,
    Localizer,
    Mapper,
    Picky,
    Ping,
    Planner,
    Pong,
    ScanReplay,
    Settings,
    Supervisor,
    Triggered,
    robot,
)

from dimos_ros import (
    Blueprint,
    BlueprintError,
    In,
    InstanceKey,
    InstanceNotFoundError,
    Module,
    Out,
    Plan,
    autoconnect,
    plan,
)
from dimos_ros.blueprint.stages import stages
from dimos_ros.loading.load_request import LoadRequest

TF = ("/tf:=tf", "/tf_static:=tf_static")


def references(blueprint: Blueprint) -> dict[str, str]:
    """Return the target of each reference of the plan, by ``instance.reference``."""
    return {f"{i.key}.{name}": target for i in plan(blueprint) for name, target in i.references.items()}


def declared(**annotations: object) -> type[Module]:
    """Make a module class that can be imported as ``blueprint_modules:Made``."""
    cls = type("Made", (Module,), {"__module__": "blueprint_modules", "__annotations__": annotations})
    blueprint_modules.Made = cls  # type: ignore[attr-defined]
    return cls


# ------------------------------------------------------------------------------------------------ load requests


def test_a_load_request_holds_exactly_what_the_module_is_given() -> None:
    fleet = autoconnect(robot, Localizer.blueprint()).with_parameters(Mapper, resolution=0.05)
    fleet = fleet.remappings([(Mapper, "scan", "front/scan")]).namespace("robot1", expose={"map"})
    instance = plan(fleet)["robot1/mapper"]
    assert instance.request == LoadRequest(
        package_name="blueprint_modules",
        plugin_name="blueprint_modules:Mapper",
        node_name="mapper",
        node_namespace="/robot1",
        remap_rules=("scan:=front/scan", "map:=/map", *TF),
        parameters={"resolution": 0.05, "localizer": "/robot1/localizer"},
    )
    assert instance.request.full_node_name == instance.key.full_node_name == "/robot1/mapper"
    assert (instance.class_name, instance.class_path) == ("Mapper", "blueprint_modules:Mapper")
    assert instance.summary == "Occupancy grid from laser scans."
    assert (instance.container, instance.calls) == ("/robot1/container", ("clear",))
    assert [(s.name, s.direction, s.topic, s.message_type, s.qos.latched) for s in instance.streams] == [
        ("scan", "in", "/robot1/front/scan", "sensor_msgs/msg/LaserScan", False),
        ("map", "out", "/map", "nav_msgs/msg/OccupancyGrid", True),
    ]


def test_the_global_namespace_is_a_slash() -> None:
    (instance,) = plan(Camera.blueprint())
    assert (instance.request.node_namespace, instance.request.remap_rules) == ("/", TF)
    assert (instance.container, instance.request.full_node_name) == ("/container", "/camera")
    (moved,) = plan(Camera.blueprint().remappings([(Camera, "image", "front/image")]))
    assert moved.request.remap_rules == ("image:=front/image", *TF)


def test_parameters_keep_their_order_and_nothing_is_left_out_as_absent() -> None:
    one = Settings.blueprint(ratio=0.1, maybe=None, count=2).with_parameters(Settings, label="z")
    assert list(plan(one)["settings"].request.parameters.items()) == [("ratio", 0.1), ("count", 2), ("label", "z")]


def test_bases_are_the_module_classes_above_up_to_module_itself() -> None:
    assert plan(FastMapper.blueprint())["fast_mapper"].bases == (
        "blueprint_modules:FastMapper",
        "blueprint_modules:Mapper",
    )


def test_a_parameter_that_has_to_be_given_is_missed() -> None:
    with pytest.raises(
        BlueprintError, match=r"a/device \(Device\): parameter 'port' \(str\) must be set: Device"
    ) as caught:
        plan(Device.blueprint().namespace("a"))
    assert caught.value.instance == "a/device"
    assert plan(Device.blueprint(port="x").disabled(Device)) == Plan()


@pytest.mark.parametrize("wrong", [Mapper, [robot], None, "robot"])
def test_plan_says_what_it_takes(wrong: object) -> None:
    with pytest.raises(BlueprintError, match="plan takes blueprints"):
        plan(wrong)  # type: ignore[arg-type]


def test_an_empty_blueprint_is_an_empty_plan() -> None:
    assert len(plan(autoconnect())) == 0
    assert "0 modules in 0 containers" in plan(autoconnect()).table()


def test_a_class_that_its_import_path_does_not_lead_to_is_refused() -> None:
    cls = type("Absent", (Module,), {"__module__": "blueprint_modules"})
    with pytest.raises(
        BlueprintError, match=r"a/absent \(Absent\): a container cannot import blueprint_modules:Absent"
    ):
        plan(cls.blueprint().namespace("a"))
    twin = type("Mapper", (Module,), {"__module__": "blueprint_modules"})
    with pytest.raises(BlueprintError, match="now names another class"):
        plan(twin.blueprint())


# ------------------------------------------------------------------------------------------------ references


def test_a_reference_means_its_own_namespace_first_then_those_around_it() -> None:
    planner, gps = Planner.blueprint(), GpsLocalizer.blueprint()
    own = autoconnect(planner, Localizer.blueprint()).namespace("a")
    assert references(autoconnect(own, gps)) == {"a/planner.localizer": "/a/localizer"}
    around = autoconnect(autoconnect(planner.namespace("r"), gps).namespace("fleet"), Localizer.blueprint())
    assert references(around) == {"fleet/r/planner.localizer": "/fleet/gps_localizer"}
    assert references(autoconnect(planner.namespace("a/b/c"), gps)) == {"a/b/c/planner.localizer": "/gps_localizer"}


def test_a_reference_to_a_base_class_fits_a_subclass() -> None:
    assert references(autoconnect(Planner.blueprint(), GpsLocalizer.blueprint(name="gps"))) == {
        "planner.localizer": "/gps"
    }


def test_a_protocol_fits_by_its_calls() -> None:
    fleet = autoconnect(Supervisor.blueprint(), Localizer.blueprint(), Mapper.blueprint(localizer=None))
    assert references(fleet)["supervisor.target"] == "/localizer"
    with pytest.raises(BlueprintError, match=r"'target' needs a Resettable \(a module with reset\), and there is none"):
        plan(autoconnect(Supervisor.blueprint(), Mapper.blueprint()))
    with pytest.raises(BlueprintError, match=r"mapper: Mapper is not a Resettable .*; it lacks reset"):
        plan(autoconnect(Supervisor.blueprint(target="mapper"), Mapper.blueprint()))


def test_an_optional_reference_is_empty_where_nothing_fits() -> None:
    instance = plan(Mapper.blueprint().namespace("a"))["a/mapper"]
    assert dict(instance.references) == {"localizer": ""}
    assert instance.request.parameters == {"localizer": ""}


def test_a_needed_reference_that_nothing_fits_says_what_is_out_of_reach() -> None:
    fleet = autoconnect(Planner.blueprint().namespace("a"), Localizer.blueprint().namespace("b"))
    with pytest.raises(
        BlueprintError,
        match=r"a/planner \(Planner\): reference 'localizer' needs a Localizer.*"
        r"none in a, the global namespace; b/localizer cannot be reached.*'Localizer \| None'",
    ):
        plan(fleet)
    with pytest.raises(BlueprintError, match="there is none in the global namespace; add one to the blueprint"):
        plan(Planner.blueprint())
    with pytest.raises(BlueprintError, match="a/localizer cannot be reached"):
        plan(autoconnect(Planner.blueprint(), Localizer.blueprint().namespace("a")))


def test_disabling_what_another_needs_is_an_error_and_what_it_can_do_without_is_none() -> None:
    needed = autoconnect(Planner.blueprint(), Localizer.blueprint()).disabled(Localizer)
    with pytest.raises(BlueprintError, match=r"planner \(Planner\): .*localizer, which fits, is disabled"):
        plan(needed)
    wanted = autoconnect(Mapper.blueprint(), Localizer.blueprint()).disabled(Localizer)
    assert references(wanted) == {"mapper.localizer": ""}
    with pytest.raises(BlueprintError, match="cannot be localizer, which is disabled"):
        plan(wanted.remappings([(Mapper, "localizer", "localizer")]))


def test_several_that_fit_are_listed_and_one_is_chosen_by_remappings() -> None:
    two = autoconnect(Planner.blueprint(), Localizer.blueprint(), GpsLocalizer.blueprint())
    with pytest.raises(
        BlueprintError,
        match=r"a/planner \(Planner\): reference 'localizer' fits a/gps_localizer, a/localizer; "
        r"choose one: \.remappings\(\[\(Planner, 'localizer', 'gps_localizer'\)\]\)",
    ):
        plan(two.namespace("a"))
    for choice, chosen in (
        ("localizer", "/a/localizer"),
        ("gps_localizer", "/a/gps_localizer"),
        (GpsLocalizer, "/a/gps_localizer"),
        ("a/gps_localizer", "/a/gps_localizer"),
        ("/a/gps_localizer", "/a/gps_localizer"),
    ):
        settled = two.remappings([(Planner, "localizer", choice)]).namespace("a")
        assert references(settled) == {"a/planner.localizer": chosen}
    assert references(autoconnect(two, Planner.blueprint(localizer="localizer"))) == {"planner.localizer": "/localizer"}


def test_a_chosen_reference_reaches_out_but_not_to_a_sibling() -> None:
    shared = autoconnect(Planner.blueprint(localizer="/localizer"), Localizer.blueprint()).namespace("a")
    assert references(autoconnect(shared, Localizer.blueprint())) == {"a/planner.localizer": "/localizer"}
    siblings = autoconnect(
        Planner.blueprint(localizer="/b/localizer").namespace("a"), Localizer.blueprint().namespace("b")
    )
    with pytest.raises(BlueprintError, match="cannot be b/localizer: a module in a can refer to modules there"):
        plan(siblings)
    inner = autoconnect(Planner.blueprint(localizer="c/localizer"), Localizer.blueprint().namespace("c")).namespace("a")
    with pytest.raises(BlueprintError, match="cannot be a/c/localizer"):
        plan(inner)


def test_a_choice_that_is_not_there_or_of_another_kind_lists_what_fits() -> None:
    two = autoconnect(Planner.blueprint(localizer="lokalizer"), Localizer.blueprint(), Mapper.blueprint(localizer=None))
    with pytest.raises(BlueprintError, match="names 'lokalizer', which does not exist; these fit: localizer"):
        plan(two)
    with pytest.raises(BlueprintError, match="cannot be mapper: Mapper is not a Localizer"):
        plan(two.remappings([(Planner, "localizer", "mapper")]))
    with pytest.raises(BlueprintError, match="needs a Mapper, and there is none"):
        plan(two.remappings([(Planner, "localizer", Mapper)]))
    with pytest.raises(BlueprintError, match="needs a GpsLocalizer"):
        plan(autoconnect(Mapper.blueprint(localizer=GpsLocalizer), Localizer.blueprint()))


def test_an_optional_reference_can_be_turned_off() -> None:
    assert references(autoconnect(Mapper.blueprint(localizer=None), Localizer.blueprint())) == {"mapper.localizer": ""}
    both = autoconnect(Mapper.blueprint(), Localizer.blueprint()).remappings([(Mapper, "localizer", None)])
    assert references(both) == {"mapper.localizer": ""}


def test_a_module_is_not_its_own_peer() -> None:
    assert references(Device.blueprint(port="a")) == {"device.peer": ""}
    pair = autoconnect(Device.blueprint(name="a", port="a"), Device.blueprint(name="b", port="b"))
    assert references(pair) == {"a.peer": "/b", "b.peer": "/a"}


# ------------------------------------------------------------------------------------------------ order


def test_a_module_starts_after_the_modules_it_refers_to() -> None:
    fleet = autoconnect(
        Planner.blueprint(), Supervisor.blueprint(target="triggered"), Triggered.blueprint(), Localizer.blueprint()
    )
    assert [(str(i.key), i.stage) for i in plan(fleet)] == [
        ("localizer", 0),
        ("triggered", 0),
        ("planner", 1),
        ("supervisor", 1),
    ]


def test_modules_that_refer_to_each_other_share_a_stage() -> None:
    planned = plan(autoconnect(Pong.blueprint(), Ping.blueprint()).namespace("a"))
    assert [(str(i.key), i.stage) for i in planned] == [("a/ping", 0), ("a/pong", 0)]
    assert planned["a/ping"].references == {"pong": "/a/pong"} and planned["a/pong"].references == {"ping": "/a/ping"}


def test_stages_of_random_graphs_are_above_what_they_need_except_in_a_circle() -> None:
    for seed in range(200):
        draw = random.Random(seed)
        size = draw.randint(1, 12)
        needs = {n: draw.sample(range(size + 2), draw.randint(0, min(3, size))) for n in range(size)}
        reach = {n: {m for m in needs[n] if m in needs} for n in needs}
        for middle, start in itertools.product(needs, needs):
            if middle in reach[start]:
                reach[start] |= reach[middle]
        found = stages(needs)
        for n in needs:
            for m in (m for m in needs[n] if m in needs):
                together = n in reach[m]
                assert found[n] == found[m] if together else found[n] > found[m], (seed, needs, found)
            group = {n} | {m for m in reach[n] if n in reach[m]}
            above = [found[m] for g in group for m in needs[g] if m in needs and m not in group]
            assert found[n] == max(above, default=-1) + 1


def test_a_long_chain_of_references_needs_no_recursion() -> None:
    assert stages({n: [n + 1] for n in range(20_000)})[0] == 19_999


def test_the_plan_does_not_depend_on_the_order_of_composition() -> None:
    parts = [ScanReplay.blueprint(), Mapper.blueprint(), Localizer.blueprint(), Planner.blueprint()]
    plans = {plan(autoconnect(*order).namespace("a", expose={"map"})) for order in itertools.permutations(parts)}
    assert len(plans) == 1


# ------------------------------------------------------------------------------------------------ what meets on a topic


def test_two_types_on_one_topic_are_refused_within_a_namespace() -> None:
    with pytest.raises(
        BlueprintError,
        match=r"two types meet on topic /a/map: Out 'map' of a/mapper \(Mapper\) is nav_msgs/msg/OccupancyGrid, "
        r"Out 'map' of a/chatter \(Chatter\) is std_msgs/msg/String; "
        r"move one to another topic: \.remappings\(\[\('chatter', 'map', 'another_map'\)\]\)",
    ):
        plan(autoconnect(Mapper.blueprint(), Chatter.blueprint()).namespace("a"))
    assert plan(autoconnect(Mapper.blueprint().namespace("a"), Chatter.blueprint().namespace("b")))


def test_two_types_are_refused_across_namespaces_where_they_are_exposed() -> None:
    exposed = autoconnect(robot.namespace("a", expose={"map"}), Chatter.blueprint().namespace("b", expose={"map"}))
    with pytest.raises(BlueprintError, match=r"topic /map: .*a/mapper.*b/chatter"):
        plan(exposed)
    with pytest.raises(BlueprintError, match="topic /map"):
        plan(autoconnect(robot.namespace("a", expose={"map"}), Chatter.blueprint()))
    with pytest.raises(BlueprintError, match="topic /a/map"):
        plan(autoconnect(robot.namespace("a"), Chatter.blueprint().remappings([(Chatter, "map", "/a/map")])))


def test_remapping_settles_a_type_conflict() -> None:
    assert plan(autoconnect(Mapper.blueprint(), Chatter.blueprint()).remappings([(Chatter, "map", "words")]))


@pytest.mark.parametrize(
    ("reader", "writer", "lacking"),
    [(Picky, Camera, "reliable"), (LateReader, ScanReplay, "latched")],
)
def test_qualities_of_service_under_which_nothing_arrives_are_refused(
    reader: type[Module], writer: type[Module], lacking: str
) -> None:
    with pytest.raises(
        BlueprintError, match=rf"nothing would arrive on topic /a/\w+: In .*asks for {lacking}.*Out .* offers"
    ):
        plan(autoconnect(reader.blueprint(), writer.blueprint()).namespace("a"))
    assert plan(autoconnect(reader.blueprint().namespace("a"), writer.blueprint().namespace("b")))


@pytest.mark.parametrize(
    ("topic", "namespace"),
    [("/rosout", ""), ("/clock", "a"), ("/parameter_events", "a"), ("tf", "a"), ("/tf", "a"), ("tf_static", "")],
)
def test_another_type_on_a_topic_that_ros_uses_itself_is_refused(topic: str, namespace: str) -> None:
    words = Chatter.blueprint().remappings([(Chatter, "map", topic)])
    with pytest.raises(BlueprintError, match=r"carries std_msgs/msg/String on /.*which in ROS carries"):
        plan(words.namespace(namespace) if namespace else words)


def test_a_stream_may_be_on_a_topic_of_tf_with_its_type() -> None:
    cls = declared(transforms=Out["tf2_msgs/msg/TFMessage"])
    (instance,) = plan(cls.blueprint().remappings([(cls, "transforms", "tf")]).namespace("a"))
    assert instance.request.remap_rules == ("transforms:=tf", *TF)


def test_a_message_type_that_does_not_exist_is_refused_where_ros_is_there_to_ask() -> None:
    pytest.importorskip("rclpy")
    for wrong in ("sensor_msgs/msg/LaserScam", "no_such_msgs/msg/Thing"):
        cls = declared(scan=In[wrong])
        with pytest.raises(BlueprintError, match=r"a/made \(Made\): stream 'scan': there is no message type"):
            plan(cls.blueprint().namespace("a"))


@pytest.mark.parametrize(
    ("blueprint", "said"),
    [
        (Mapper.blueprint(name="container"), "/container is the name of a container"),
        (Mapper.blueprint(name="container").namespace("a"), "/a/container is the name of a container"),
        (
            autoconnect(Mapper.blueprint().dedicated(Mapper), Camera.blueprint(name="mapper_container")),
            "/mapper_container is the name of a container",
        ),
    ],
)
def test_a_module_cannot_have_the_name_of_a_container(blueprint: Blueprint, said: str) -> None:
    with pytest.raises(BlueprintError, match=said):
        plan(blueprint)


# ------------------------------------------------------------------------------------------------ what runs already


def test_new_instances_refer_to_running_ones_and_are_planned_alone() -> None:
    running = plan(autoconnect(Localizer.blueprint().namespace("a"), GpsLocalizer.blueprint(name="gps"))).instances
    planned = plan(autoconnect(Planner.blueprint().namespace("a"), Planner.blueprint().namespace("b")), running)
    assert {str(i.key): dict(i.references) for i in planned} == {
        "a/planner": {"localizer": "/a/localizer"},
        "b/planner": {"localizer": "/gps"},
    }
    assert {i.stage for i in planned} == {0}
    supervised = plan(Supervisor.blueprint(target="gps"), running)
    assert supervised["supervisor"].references == {"target": "/gps"}


def test_what_runs_under_the_name_of_a_disabled_module_can_be_referred_to() -> None:
    running = plan(Localizer.blueprint()).instances
    without = autoconnect(Planner.blueprint(), Localizer.blueprint()).disabled(Localizer)
    assert plan(without, running)["planner"].references == {"localizer": "/localizer"}


def test_a_name_that_runs_is_refused() -> None:
    running = plan(robot.namespace("a")).instances
    with pytest.raises(
        BlueprintError, match=r"a/mapper \(Mapper\) cannot be added: a/mapper \(Mapper\) runs under that name"
    ):
        plan(Mapper.blueprint().namespace("a"), running)
    assert len(plan(robot.namespace("b"), running)) == 2


def test_conflicts_with_streams_that_run_are_refused() -> None:
    running = plan(robot.namespace("a", expose={"map"})).instances
    with pytest.raises(BlueprintError, match=r"topic /map: .*chatter \(Chatter\).*a/mapper \(Mapper\)"):
        plan(Chatter.blueprint(), running)
    with pytest.raises(BlueprintError, match="nothing would arrive on topic /a/odom"):
        plan(LateReader.blueprint().namespace("a"), running)


def test_names_of_running_containers_are_taken() -> None:
    running = plan(
        autoconnect(Mapper.blueprint().dedicated(Mapper), Camera.blueprint(name="fast_mapper_container"))
    ).instances
    with pytest.raises(BlueprintError, match="/mapper_container is the name of a container"):
        plan(Camera.blueprint(name="mapper_container"), running)
    with pytest.raises(
        BlueprintError, match=r"its container /fast_mapper_container would have the name of .*which is running"
    ):
        plan(FastMapper.blueprint().dedicated(FastMapper), running)


def test_ambiguity_with_what_runs_is_refused() -> None:
    running = plan(autoconnect(Localizer.blueprint(name="one"), Localizer.blueprint(name="two"))).instances
    with pytest.raises(BlueprintError, match="fits one, two; choose one"):
        plan(Planner.blueprint(), running)


# ------------------------------------------------------------------------------------------------ as data and text


def everything() -> Plan:
    settings = Settings.blueprint(
        data=bytes(range(256)),
        ratio=float("nan"),
        ratios=[float("inf"), -float("inf"), -0.0, 1e-300],
        label="ä\n'\"",
        flags=[True, False],
        counts=[-(2**63), 2**63 - 1],
        labels=[],
        on=True,
        maybe=1.0,
        use_sim_time=True,
    )
    parts = (settings, robot, Localizer.blueprint(), Camera.blueprint(), Pong.blueprint(), Ping.blueprint())
    return plan(autoconnect(*parts).dedicated(Camera).namespace("a/b", expose={"map"}))


def test_a_plan_survives_json_exactly() -> None:
    planned = everything()
    text = json.dumps(planned.to_dict(), allow_nan=False)
    back = Plan.from_dict(json.loads(text))
    assert back == planned and hash(back) == hash(planned)
    assert json.dumps(back.to_dict()) == json.dumps(planned.to_dict())
    before, after = planned["a/b/settings"].request.parameters, back["a/b/settings"].request.parameters
    assert {n: type(v) for n, v in before.items()} == {n: type(v) for n, v in after.items()}
    assert after["data"] == bytes(range(256)) and str(after["ratios"]) == "[inf, -inf, -0.0, 1e-300]"


def test_load_requests_differ_exactly_if_ros_would_get_something_else() -> None:
    request = plan(Settings.blueprint(count=1))["settings"].request
    for parameters in ({"count": 1.0}, {"count": True}, {"count": 2}, {}, {"count": 1, "on": False}, {"count": [1]}):
        assert request != replace(request, parameters=parameters)
    assert request == replace(request, parameters={"count": 1})
    assert len({request, replace(request, parameters={"count": 1.0}), replace(request, log_level=10)}) == 3
    assert request != replace(request, remap_rules=()) and request != "request"


def test_parameters_of_a_load_request_cannot_be_changed() -> None:
    request = plan(Settings.blueprint(ratios=[1.0]))["settings"].request
    request.parameters["ratios"].append(2.0)  # type: ignore[union-attr]
    assert request.parameters["ratios"] == [1.0]
    with pytest.raises(TypeError):
        request.parameters["ratios"] = []  # type: ignore[index]


def test_the_table_names_every_instance_its_container_and_what_it_was_given() -> None:
    fleet = autoconnect(*(robot.with_parameters(Mapper, resolution=0.05).namespace(n, expose={"map"}) for n in "ab"))
    assert plan(autoconnect(fleet, FleetMap.blueprint())).table().splitlines() == [
        "STAGE  INSTANCE       CLASS                         CONTAINER     REMAP RULES  PARAMETERS",
        "0      fleet_map      blueprint_modules:FleetMap    /container",
        "0      a/mapper       blueprint_modules:Mapper      /a/container  map:=/map    resolution=0.05 localizer=''",
        "0      a/scan_replay  blueprint_modules:ScanReplay  /a/container",
        "0      b/mapper       blueprint_modules:Mapper      /b/container  map:=/map    resolution=0.05 localizer=''",
        "0      b/scan_replay  blueprint_modules:ScanReplay  /b/container",
        "5 modules in 3 containers; all have /tf:=tf /tf_static:=tf_static",
    ]


def test_yaml_of_a_plan_reads_back_as_the_load_requests() -> None:
    yaml = pytest.importorskip("yaml")
    planned = everything()
    read = yaml.safe_load(planned.yaml())
    assert list(read) == list(dict.fromkeys(i.container for i in planned))
    found = {f"{r['node_namespace']}/{r['node_name']}": r for requests in read.values() for r in requests}
    for instance in planned:
        fields = found[instance.key.full_node_name]
        assert fields["remap_rules"] == list(instance.request.remap_rules)
        assert instance.request.parameters == fields["parameters"]
        assert fields["plugin_name"] == instance.class_path and fields["stage"] == instance.stage


def test_an_instance_is_found_by_key_and_by_name() -> None:
    planned = plan(robot.namespace("a"))
    assert planned.get("a/mapper") is planned.get("/a/mapper") is planned[InstanceKey("a", "mapper")]
    assert planned.get("a/nobody") is None
    with pytest.raises(InstanceNotFoundError, match="no 'a/maper' in this plan; it has a/mapper"):
        planned["a/maper"]


# ------------------------------------------------------------------------------------------------ size


def test_a_thousand_robots_are_planned_in_about_a_second() -> None:
    one = autoconnect(robot, Localizer.blueprint(), Planner.blueprint())
    started = time.process_time()
    fleet = autoconnect(*(one.namespace(f"robot{n}", expose={"map"}) for n in range(1000)), FleetMap.blueprint())
    planned = plan(fleet)
    took = time.process_time() - started
    assert len(planned) == 4001
    assert all(
        i.references["localizer"] == f"/{i.key.namespace}/localizer" for i in planned if "localizer" in i.references
    )
    assert took < 3, f"{took:.2f} s of processor time"
