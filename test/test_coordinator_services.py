"""The coordinator's services: requests of an operator's tools and their responses, also for bad input."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("rclpy", reason="needs rclpy")

from composition_interfaces.srv import ListNodes, LoadNode, UnloadNode
from conftest import own_domain
from dimos_interfaces.msg import ModuleList
from dimos_interfaces.srv import (
    ListModules,
    LoadBlueprint,
    RestartModule,
    RestartNamespace,
    UnloadModule,
    UnloadNamespace,
)
from fleet_modules import Sink, Source, robot
from lifecycle_msgs.srv import ChangeState, GetState
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import DurabilityPolicy, QoSProfile

from dimos_ros import ModuleCoordinator, autoconnect
from dimos_ros.blueprint.compile_source import compile_source
from dimos_ros.blueprint.source import BlueprintSource
from dimos_ros.processes.request_id import request
from dimos_ros.ros.service_caller import ServiceCaller

SERVICES = {
    "restart_module": RestartModule,
    "unload_module": UnloadModule,
    "restart_namespace": RestartNamespace,
    "unload_namespace": UnloadNamespace,
    "load_blueprint": LoadBlueprint,
    "list_modules": ListModules,
}


class Operator:
    """Operator as an rclpy node with its own context. It knows only the name of the coordinator."""

    def __init__(self, context: Any, coordinator: str = "/coordinator") -> None:
        self.node = Node("operator", context=context)
        self.coordinator = coordinator
        self._executor = SingleThreadedExecutor(context=context)
        self._executor.add_node(self.node)
        self._thread = threading.Thread(target=self._executor.spin)
        self._thread.start()

    def call(self, service_type: Any, name: str, **fields: Any) -> Any:
        caller = ServiceCaller(self.node, service_type, name)
        try:
            assert caller.wait_for_service(15), name
            return caller.call(service_type.Request(**fields), 30)
        finally:
            caller.close()

    def ask(self, service: str, **fields: Any) -> Any:
        return self.call(SERVICES[service], f"{self.coordinator}/{service}", **fields)

    def close(self) -> None:
        self._executor.shutdown()
        self._thread.join()
        self.node.destroy_node()


@pytest.fixture
def operator(context: Any) -> Iterator[Operator]:
    one = Operator(context)
    yield one
    one.close()


@pytest.fixture
def coordinator(domain: int) -> Iterator[ModuleCoordinator]:
    with ModuleCoordinator.build(autoconnect(robot.namespace("robot1"), robot.namespace("robot2"))) as one:
        yield one


@pytest.fixture(scope="module")
def shared() -> Iterator[Operator]:
    """Return an operator of one fleet, which all tests share that change nothing."""
    with own_domain() as number, pytest.MonkeyPatch.context() as patch:
        patch.setenv("ROS_DOMAIN_ID", str(number))
        patch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
        context = Context()
        context.init(domain_id=number)
        with ModuleCoordinator.build(autoconnect(robot.namespace("robot1"), robot.namespace("robot2"))):
            one = Operator(context)
            yield one
            one.close()
        context.try_shutdown()


def test_an_operator_restarts_unloads_and_loads_and_is_told_what_happened(
    coordinator: ModuleCoordinator, operator: Operator, wait_for: Callable[..., Any]
) -> None:
    for namespace in ("robot1", "/robot1", "/robot1/"):
        response = operator.ask("restart_module", node_namespace=namespace, class_name="Source")
        assert response.success, response.message
        assert "robot1/source (Source) restarted in 0." in response.message
    response = operator.ask("unload_module", node_namespace="robot1", class_name="Sink")
    assert response.success
    assert "robot1/sink (Sink) unloaded in 0." in response.message
    response = operator.ask("unload_module", node_namespace="robot1", class_name="Sink")
    assert not response.success
    assert "no Sink under 'robot1'; it runs under robot2" in response.message
    response = operator.ask(
        "load_blueprint",
        blueprint="fleet_modules:Sink",
        node_namespace="/robot1",
        parameters="{sink: {label: from YAML}}",
    )
    assert response.success, response.message
    assert "robot1/sink" in response.message
    assert coordinator.get_instance(Sink, namespace="robot1").settings()["label"] == "from YAML"
    response = operator.ask("restart_namespace", node_namespace="robot2")
    assert response.success, response.message
    response = operator.ask("unload_namespace", node_namespace="robot2")
    assert response.success, response.message
    assert {m.full_node_name for m in operator.ask("list_modules").modules} == {"/robot1/source", "/robot1/sink"}


def test_a_request_to_load_takes_all_that_a_plan_takes(
    coordinator: ModuleCoordinator, operator: Operator, tmp_path: Path
) -> None:
    config, params = tmp_path / "fleet.yaml", tmp_path / "params.yaml"
    config.write_text(
        "robots: [{name: c, blueprint: 'fleet_modules:Sink'}, {name: d, blueprint: 'fleet_modules:robot'}]"
    )
    params.write_text("/up/**:\n  ros__parameters: {label: from the file}\n")
    asked = BlueprintSource(
        blueprint="fleet_modules:fleet",
        robots=("x", "y"),
        params_file=str(params),
        arguments={"period": 0.25},
        namespace="up",
        parameters={"y/source": {"period": 0.5}},
        use_sim_time=True,
        log_level="debug",
    )
    response = operator.ask(
        "load_blueprint",
        blueprint="fleet_modules:fleet",
        robots="x y",
        params_file=str(params),
        arguments="{period: 0.25}",
        node_namespace="/up",
        parameters="{y/source: {period: 0.5}}",
        use_sim_time=True,
        log_level="DEBUG",
        request_id="this-request",
    )
    assert response.success, response.message
    assert "4 of 4 loaded" in response.message
    assert requests_below(coordinator, "up/") == {str(i.key): i.request for i in compile_source(asked)}
    assert coordinator.get_instance(Sink, namespace="up/y").settings()["label"] == "from the file"
    response = operator.ask("load_blueprint", config=str(config), robots="c")
    assert response.success, response.message
    assert "1 of 1 loaded" in response.message
    planned = compile_source(BlueprintSource(config=str(config), robots=("c",)))
    assert requests_below(coordinator, "c/") == {str(i.key): i.request for i in planned}


def requests_below(coordinator: ModuleCoordinator, prefix: str) -> dict[str, Any]:
    return {str(r.key): r.instance.request for r in coordinator.records() if str(r.key).startswith(prefix)}


def test_a_class_in_several_namespaces_is_never_picked_by_luck(
    coordinator: ModuleCoordinator, operator: Operator
) -> None:
    for service in ("restart_module", "unload_module"):
        response = operator.ask(service, class_name="Source")
        assert not response.success
        assert "several fit Source: robot1/source, robot2/source; give the namespace" in response.message
    assert not operator.ask("restart_namespace").success
    assert {record.restarts for record in coordinator.records()} == {0}


def test_the_list_tells_what_is_so(
    coordinator: ModuleCoordinator, operator: Operator, wait_for: Callable[..., Any]
) -> None:
    lists: list[ModuleList] = []
    latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    operator.node.create_subscription(ModuleList, "/coordinator/modules", lists.append, latched)
    wait_for(lambda: lists and len(lists[-1].modules) == 4)
    response = operator.ask("list_modules")
    assert response.success
    assert response.message == "4 of 4 modules are up"
    source = next(m for m in response.modules if m.full_node_name == "/robot1/source")
    assert (source.node_namespace, source.class_name, source.node_name) == ("robot1", "Source", "source")
    assert (source.state, source.health, source.restarts, source.last_error) == ("active", "ok", 0, "")
    assert source.class_path == "fleet_modules:Source"
    assert source.container == "/robot1/container"
    assert source.process_id == coordinator.get_instance(Source, namespace="robot1").pid()
    assert 0 < source.uptime < 60
    operator.ask("restart_module", node_namespace="robot1", class_name="Source")
    wait_for(lambda: [m.restarts for m in lists[-1].modules if m.full_node_name == "/robot1/source"] == [1])


@pytest.mark.parametrize(
    ("fields", "names"),
    [
        ({}, {"/robot1/source", "/robot1/sink", "/robot2/source", "/robot2/sink"}),
        ({"node_namespace": "/robot1/"}, {"/robot1/source", "/robot1/sink"}),
        ({"node_namespace": "/"}, {"/robot1/source", "/robot1/sink", "/robot2/source", "/robot2/sink"}),
        ({"class_name": "Source"}, {"/robot1/source", "/robot2/source"}),
        ({"class_name": "fleet_modules:Sink", "node_namespace": "robot2"}, {"/robot2/sink"}),
        ({"node_name": "sink"}, {"/robot1/sink", "/robot2/sink"}),
        ({"class_name": "sink", "node_namespace": "robot2", "one": True}, {"/robot2/sink"}),
    ],
)
def test_a_list_of_some_has_those_that_a_restart_would_find(
    shared: Operator, fields: dict[str, Any], names: set[str]
) -> None:
    response = shared.ask("list_modules", **fields)
    assert response.success, response.message
    assert {module.full_node_name for module in response.modules} == names
    assert len({module.unique_id for module in response.modules} - {0}) == len(names)


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"class_name": "Source", "one": True}, "several fit Source: robot1/source, robot2/source; give the namespace"),
        ({"node_namespace": "robot3"}, "nothing runs under 'robot3'; namespaces that do: robot2, robot1"),
        ({"class_name": "Sauce"}, "no Sauce runs; classes that do: Source, Sink; node names: source, sink"),
        ({"node_namespace": "robot1", "one": True}, "neither a class nor a node name was given"),
        ({"node_namespace": "robot 1"}, "'robot 1' is no"),
    ],
)
def test_a_list_of_what_is_not_there_says_what_is(shared: Operator, fields: dict[str, Any], sentence: str) -> None:
    response = shared.ask("list_modules", **fields)
    assert not response.success
    assert sentence in response.message
    assert not response.modules


def test_a_node_name_does_for_a_class(coordinator: ModuleCoordinator, operator: Operator) -> None:
    response = operator.ask("restart_module", node_namespace="robot1", class_name="source")
    assert response.success, response.message
    assert "robot1/source (Source) restarted in " in response.message
    assert (
        "no source under 'robot3'"
        in operator.ask("unload_module", node_namespace="robot3", class_name="source").message
    )


class Log:
    """Log of the coordinator, line by line."""

    def __init__(self, capture: pytest.CaptureFixture[str]) -> None:
        self._capture = capture
        self._text = ""

    def lines(self, word: str) -> list[str]:
        """Return the lines that contain a word, from that word on."""
        captured = self._capture.readouterr()
        self._text += captured.out + captured.err
        return [line[line.index(word) :] for line in self._text.splitlines() if word in line]


@pytest.fixture
def log(capfd: pytest.CaptureFixture[str]) -> Log:
    return Log(capfd)


def test_one_grep_follows_a_request_from_its_line_to_its_answer(
    log: Log, coordinator: ModuleCoordinator, operator: Operator
) -> None:
    response = operator.ask("restart_module", node_namespace="/robot1", class_name="Source", request_id="morning-1")
    assert response.success, response.message
    assert log.lines("#morning-1 ") == ["#morning-1 restart /robot1 Source", f"#morning-1 {response.message}"]
    response = operator.ask("restart_module", node_namespace="robot1", class_name="Sauce", request_id="morning-2")
    assert log.lines("#morning-2 ") == ["#morning-2 restart robot1 Sauce", f"#morning-2 refused: {response.message}"]
    response = operator.ask("unload_module", class_name="Sink", node_name="a\nb", request_id="x")
    assert log.lines("#x ") == ["#x unload Sink --name 'a\\nb'", f"#x refused: {response.message}"]
    coordinator.restart_namespace("robot2", reload_source=False)
    (asked,) = log.lines(" restart robot2 --no-reload")
    number = next(line for line in log.lines("#") if asked in line).split()[0]
    done = [line for line in log.lines(f"{number} ") if line.startswith(f"{number} 2 modules of 2 under 'robot2'")]
    assert len(done) == 1


def test_all_that_is_done_for_a_request_and_nothing_later_is_logged_with_its_id(
    log: Log, coordinator: ModuleCoordinator, operator: Operator, wait_for: Callable[..., Any]
) -> None:
    with request("loading"):
        coordinator.load_blueprint("fleet_modules:Sink", "robot3")
    lines = log.lines("#loading ")
    assert lines[0] == "#loading load fleet_modules:Sink --namespace robot3"
    assert lines[1:3] == [
        "#loading starting 1 module in 1 container",
        "#loading robot3/sink (Sink) is active (1 of 1)",
    ]
    assert lines[-1].startswith("#loading 1 of 1 loaded in ")
    pid = next(record.container.pid for record in coordinator.records(Sink, "robot3") if record.container)
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: log.lines("robot3/sink (Sink) is back, in process"))
    assert log.lines("#loading ") == lines


def test_an_id_that_could_be_taken_for_something_else_in_a_log_is_refused(shared: Operator) -> None:
    for wrong in ("two words", "a\nb", "#1", "x" * 41, "ключ"):
        response = shared.ask("restart_module", node_namespace="robot1", class_name="Source", request_id=wrong)
        assert not response.success
        assert "request_id takes 1 to 40 letters, digits, '_', '.' and '-', not" in response.message
        assert response.message.isprintable()


def test_a_transition_by_another_tool_is_seen(
    coordinator: ModuleCoordinator, operator: Operator, wait_for: Callable[..., Any]
) -> None:
    request = ChangeState.Request()
    request.transition.label = "deactivate"
    assert operator.call(ChangeState, "/robot1/source/change_state", transition=request.transition).success
    assert operator.call(GetState, "/robot1/source/get_state").current_state.label == "inactive"
    wait_for(
        lambda: (
            [m.state for m in operator.ask("list_modules").modules if m.full_node_name == "/robot1/source"]
            == ["inactive"]
        )
    )


def test_composition_tools_see_the_fleet_under_the_coordinator(
    coordinator: ModuleCoordinator, operator: Operator, wait_for: Callable[..., Any]
) -> None:
    base = "/coordinator/_container"
    listed = operator.call(ListNodes, f"{base}/list_nodes")
    assert sorted(listed.full_node_names) == ["/robot1/sink", "/robot1/source", "/robot2/sink", "/robot2/source"]
    assert list(listed.unique_ids) == sorted(listed.unique_ids)
    loaded = operator.call(
        LoadNode,
        f"{base}/load_node",
        package_name="fleet_modules",
        plugin_name="fleet_modules:Sink",
        node_name="second",
        node_namespace="/robot1",
        parameters=[Parameter("label", value="by hand").to_parameter_msg()],
    )
    assert loaded.success, loaded.error_message
    assert loaded.full_node_name == "/robot1/second"
    second = coordinator.get_instance(Sink, namespace="robot1", name="second")
    assert second.settings()["label"] == "by hand"
    wait_for(lambda: second.senders() == ["/robot1/source"])
    refused = operator.call(LoadNode, f"{base}/load_node", package_name="fleet_modules", plugin_name="fleet_modules:No")
    assert not refused.success
    assert "Failed to find class with the requested plugin name." in refused.error_message
    assert (refused.full_node_name, refused.unique_id) == ("", 0)
    assert operator.call(UnloadNode, f"{base}/unload_node", unique_id=loaded.unique_id).success
    again = operator.call(UnloadNode, f"{base}/unload_node", unique_id=loaded.unique_id)
    assert not again.success
    assert again.error_message == f"No node found with unique_id: {loaded.unique_id}"
    assert operator.call(ListNodes, f"{base}/list_nodes") == listed


def test_a_module_unloaded_over_its_container_is_shown_as_unloaded_and_a_restart_loads_it(
    coordinator: ModuleCoordinator, operator: Operator, wait_for: Callable[..., Any]
) -> None:
    base = "/robot1/container/_container"
    listed = operator.call(ListNodes, f"{base}/list_nodes")
    number = dict(zip(listed.full_node_names, listed.unique_ids, strict=True))["/robot1/source"]
    assert operator.call(UnloadNode, f"{base}/unload_node", unique_id=number).success

    def source() -> Any:
        return next(m for m in operator.ask("list_modules").modules if m.full_node_name == "/robot1/source")

    wait_for(lambda: (source().state, source().health) == ("unloaded", "unloaded"))
    assert "a restart loads it again" in source().last_error
    response = operator.ask("restart_module", node_namespace="robot1", class_name="Source")
    assert response.success
    assert "No node found" not in response.message
    assert (source().state, source().health) == ("active", "ok")


BAD_TEXT = [
    "",
    "/",
    " ",
    "1bot",
    "a__b",
    "robot 1",
    "机器人",
    "Картограф",
    "x" * 10_000,
    "'; drop",
    "\n",
    "~",
    "{}",
    "..",
    "a//b",
]


def test_bad_input_gets_a_sentence_and_nothing_is_lost(coordinator: ModuleCoordinator, operator: Operator) -> None:
    before = {str(r.key): r.container and r.container.pid for r in coordinator.records()}
    asked: list[tuple[str, dict[str, Any]]] = []
    for text in BAD_TEXT:
        asked += [("restart_module", {"node_namespace": text, "class_name": "Nothing"})]
        asked += [("unload_module", {"node_namespace": "robot1", "class_name": text or "?"})]
        asked += [("unload_module", {"node_namespace": "robot1", "class_name": "Sink", "node_name": text or "?"})]
        asked += [("restart_namespace", {"node_namespace": text})] if text != "/" else []
        asked += [("unload_namespace", {"node_namespace": text})] if text != "/" else []
    for text in BAD_TEXT[:9]:
        asked += [("load_blueprint", {"blueprint": text})]
    for text in (
        "{",
        "[1, 2]",
        "a: b: c",
        "- x",
        "3",
        "{sink: 3}",
        "{nobody: {x: 1}}",
        "{sink: {label: 3}}",
        "&a [*a]",
    ):
        asked += [("load_blueprint", {"blueprint": "fleet_modules:Sink", "node_namespace": "r9", "parameters": text})]
        asked += [("load_blueprint", {"blueprint": "fleet_modules:fleet", "robots": "r9", "arguments": text})]
    asked += [("load_blueprint", {"config": "/no/such/file.yaml"})]
    asked += [("load_blueprint", {"blueprint": "fleet_modules:Sink", "params_file": "/no/such/file.yaml"})]
    asked += [("load_blueprint", {"blueprint": "fleet_modules:Sink", "log_level": "loud"})]
    asked += [("load_blueprint", {"blueprint": "fleet_modules:Sink", "robots": "a,a"})]
    for service, fields in asked:
        response = operator.ask(service, **fields)
        assert not response.success, (service, fields)
        assert 10 < len(response.message) < 1500, (service, fields, response.message)
        assert "Traceback" not in response.message
    assert {str(r.key): r.container and r.container.pid for r in coordinator.records()} == before
    assert {r.restarts for r in coordinator.records()} == {0}


def test_the_coordinator_has_any_name_and_namespace(domain: int, context: Any) -> None:
    with ModuleCoordinator.build(robot.namespace("robot1"), node_name="boss", namespace="/hq"):
        operator = Operator(context, "/hq/boss")
        try:
            assert len(operator.ask("list_modules").modules) == 2
        finally:
            operator.close()
