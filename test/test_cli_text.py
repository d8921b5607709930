"""The arguments and the output of the command line, without a fleet and without ROS."""

from __future__ import annotations

import argparse
import io
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from dimos_ros.blueprint.source import BlueprintSource
from dimos_ros.cli import graph_text
from dimos_ros.cli.errors import UsageError
from dimos_ros.cli.fleet_graph import FleetGraph, ReferenceLink, StreamLink
from dimos_ros.cli.main import main
from dimos_ros.cli.module_status import ModuleStatus
from dimos_ros.cli.output import Output, Table, duration, on_terminal, plain
from dimos_ros.cli.source_arguments import add_source_arguments, request_of, source_of
from dimos_ros.cli.status_table import status_table
from dimos_ros.cli.verbs import VERBS
from dimos_ros.cli.verbs.call import pack


def status(namespace: str, class_name: str, node_name: str, **fields: object) -> ModuleStatus:
    given = {"state": "active", "health": "ok", "process_id": 7, "container": f"/{namespace}/container", **fields}
    return ModuleStatus(namespace, class_name, node_name, f"/{namespace}/{node_name}".replace("//", "/"), **given)


FLEET = [
    status("robot2", "Mapper", "mapper", last_error="scan: ValueError:\n no ranges"),
    status("robot1", "Mapper", "mapper", uptime=59.9),
    status("robot1", "Camera", "left"),
    status("robot1", "Camera", "right"),
    status("", "FleetMap", "fleet_map", state="inactive", process_id=0, container=""),
]


def test_a_table_in_a_pipe_is_whole_and_aligned_and_sorted() -> None:
    lines = plain(status_table(FLEET)).splitlines()
    assert lines[0].split() == ["NAMESPACE", "CLASS", "NODE", "STATE", "HEALTH", "PID", "RESTARTS", "UP", "CONTAINER"]
    assert [line.split()[:3] for line in lines[1:6]] == [
        ["/", "FleetMap", "fleet_map"],
        ["robot1", "Camera", "left"],
        ["robot1", "Mapper", "mapper"],
        ["robot1", "Camera", "right"],
        ["robot2", "Mapper", "mapper"],
    ]
    column = lines[0].index("CONTAINER")
    assert [line[column:] for line in lines[1:6]] == ["-", *3 * ["/robot1/container"], "/robot2/container"]
    assert lines[6:] == ["", "last errors:", "/robot2/mapper: scan: ValueError: no ranges"]


def test_uptime_goes_on_between_two_states_only_for_what_runs() -> None:
    rows = {tuple(row[:3]): row[7] for row in status_table(FLEET, since=1.0).rows}
    assert rows["robot1", "Mapper", "mapper"] == "1 min"
    assert rows["/", "FleetMap", "fleet_map"] == "-"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.4, "0 s"),
        (59.9, "59 s"),
        (185, "3 min 5 s"),
        (7380, "2 h 3 min"),
        (352800, "4 d 2 h"),
        (86400, "1 d"),
        (-1, "0 s"),
    ],
)
def test_durations_read_as_people_say_them(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_a_narrow_terminal_loses_spare_columns_before_words_are_broken() -> None:
    from rich.console import Console

    def drawn(width: int) -> str:
        console = Console(file=io.StringIO(), width=width)
        console.print(on_terminal(status_table(FLEET), width))
        return console.file.getvalue()

    assert "container" in drawn(140)
    narrow = drawn(79)
    assert "container" not in narrow
    assert "fleet_map" in narrow
    assert "inactive" in narrow
    assert max(len(line) for line in narrow.splitlines()) <= 79
    assert "robot2/mapper: scan: ValueError: no ranges" in narrow


def test_a_table_of_nothing_still_has_its_heads() -> None:
    assert plain(Table(["a", "bc"], [])) == "A  BC"


GRAPH = FleetGraph.of(
    [
        status("robot1", "Mapper", "mapper"),
        status("robot1", 'Re"play', "replay", state="inactive"),
        status("", "Map", "map", state=""),
    ],
    [
        StreamLink("/robot1/replay", "/robot1/scan", "out", "sensor_msgs/msg/LaserScan"),
        StreamLink("/robot1/mapper", "/robot1/scan", "in", "sensor_msgs/msg/LaserScan"),
        StreamLink("/robot1/mapper", "/map", "out"),
        StreamLink("/map", "/map", "in"),
        StreamLink("/robot1/mapper", "/robot1/camera/image", "in"),
    ],
    [ReferenceLink("/robot1/mapper", "/robot1/replay", "log")],
)


def test_dot_keeps_namespaces_apart_and_a_topic_from_an_instance_of_the_same_name() -> None:
    lines = [line.strip() for line in graph_text.dot(GRAPH).splitlines()]
    assert lines[0] == "digraph fleet {"
    assert lines[-1] == "}"
    assert '"topic /map" -> "/map";' in lines
    assert '"/robot1/replay" -> "topic /robot1/scan";' in lines
    assert '"topic /robot1/scan" -> "/robot1/mapper";' in lines
    assert '"/robot1/mapper" -> "/robot1/replay" [style=dashed, label="log"];' in lines
    assert '"/robot1/replay" [shape=box, label="replay\\nRe\\"play\\n(inactive)"];' in lines
    start = lines.index('subgraph "cluster_robot1" {')
    inside = lines[start : lines.index("}", start)]
    assert any(line.startswith('"topic /robot1/camera/image" [') and '"camera/image"' in line for line in inside)
    assert not any("topic /map" in line for line in inside)


def test_mermaid_names_each_thing_once_and_links_by_those_names() -> None:
    lines = [line.strip() for line in graph_text.mermaid(GRAPH).splitlines()]
    assert lines[0] == "flowchart LR"
    drawn = [re.fullmatch(r'(\w+)\(?\["(.*)"\]\)?', line) for line in lines]
    by_text = {match[2]: match[1] for match in drawn if match}
    assert len(set(by_text.values())) == len(by_text) == 6
    mapper, replay, scan = (
        by_text["mapper<br/>Mapper"],
        by_text["replay<br/>Re&quot;play<br/>(inactive)"],
        by_text["scan"],
    )
    assert f"{scan} --> {mapper}" in lines
    assert f"{replay} --> {scan}" in lines
    assert f'{mapper} -. "log" .-> {replay}' in lines


def test_a_graph_as_json_gives_each_topic_its_ends() -> None:
    scan = next(stream for stream in GRAPH.to_dict()["streams"] if stream["topic"] == "/robot1/scan")
    assert scan == {
        "topic": "/robot1/scan",
        "type": "sensor_msgs/msg/LaserScan",
        "publishers": ["/robot1/replay"],
        "subscribers": ["/robot1/mapper"],
    }
    assert json.loads(json.dumps(GRAPH.to_dict())) == GRAPH.to_dict()


@pytest.mark.parametrize(
    ("words", "packed"),
    [
        ([], ""),
        (["[1, 2]"], "[1, 2]"),
        (['{"x": 1}'], '{"x": 1}'),
        (["1", "2.5", "true", "null", "left wheel"], '[1, 2.5, true, null, "left wheel"]'),
        (["x=1", "name=left", "on=true"], '{"x": 1, "name": "left", "on": true}'),
        (["[1, 2]", "3"], "[[1, 2], 3]"),
        (["a-b=c"], '["a-b=c"]'),
        (["url=http://x?y=z"], '{"url": "http://x?y=z"}'),
        ([""], '[""]'),
    ],
)
def test_arguments_of_a_call_are_what_a_person_means_by_them(words: list[str], packed: str) -> None:
    assert pack(words) == packed


def test_named_and_unnamed_arguments_of_a_call_do_not_mix() -> None:
    with pytest.raises(UsageError, match="do not mix: 1 x=2"):
        pack(["1", "x=2"])


def typed(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_source_arguments(parser)
    return parser.parse_args(words, argparse.Namespace(verb="load"))


EVERY_FIELD = [
    "blueprint_modules:robot",
    *("--robots", "a,b", "--config", "fleet.yaml", "--params-file", "/etc/params.yaml", "--namespace", "/fleet"),
    *("--arguments", "{rate: 20.0}", "--parameters", "{mapper: {resolution: 0.05}}"),
    *("--use-sim-time", "--log-level", "debug"),
]


def test_what_is_typed_is_the_source_that_is_planned() -> None:
    assert source_of(typed(*EVERY_FIELD)) == BlueprintSource(
        blueprint="blueprint_modules:robot",
        robots=("a", "b"),
        config="fleet.yaml",
        params_file="/etc/params.yaml",
        arguments={"rate": 20.0},
        namespace="fleet",
        parameters={"mapper": {"resolution": 0.05}},
        use_sim_time=True,
        log_level="debug",
    )


def test_a_request_to_load_says_all_that_was_typed_with_paths_that_hold_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert request_of(typed(*EVERY_FIELD)) == {
        "blueprint": "blueprint_modules:robot",
        "robots": "a,b",
        "config": f"{tmp_path}/fleet.yaml",
        "params_file": "/etc/params.yaml",
        "arguments": "{rate: 20.0}",
        "node_namespace": "/fleet",
        "parameters": "{mapper: {resolution: 0.05}}",
        "use_sim_time": True,
        "log_level": "debug",
    }
    assert request_of(typed("blueprint_modules:robot"))["config"] == ""


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "nothing to load: give a blueprint"),
        (["x:y", "--parameters", "{"], "parameters:1: .*; parameters takes a YAML mapping"),
        (["x:y", "--parameters", "7"], "parameters takes a YAML mapping such as {mapper: {resolution: 0.05}}, not '7'"),
        (["x:y", "--arguments", "rate=20"], "arguments takes a YAML mapping such as {rate: 20.0}, not 'rate=20'"),
        (["x:y", "--robots", "a,a"], "robot 'a' is named twice"),
        (["x:y", "--namespace", "a b"], "'a b' is no"),
        (["x:y", "--log-level", "loud"], "log_level is one of debug, info"),
    ],
)
def test_a_source_that_cannot_be_is_a_usage_error_before_anything_is_asked(words: list[str], said: str) -> None:
    for read in (source_of, request_of):
        with pytest.raises(UsageError, match=said):
            read(typed(*words))


def test_a_failure_with_json_is_json_too_so_that_a_program_can_read_it() -> None:
    out, err = io.StringIO(), io.StringIO()
    Output(as_json=True, stream=out, errors=err).failure("fleet", "no Mapper")
    assert json.loads(out.getvalue()) == {"success": False, "message": "no Mapper"}
    assert err.getvalue() == "fleet: no Mapper\n"


def test_what_a_change_came_to_has_the_id_of_the_request_for_programs() -> None:
    out = io.StringIO()
    output = Output(as_json=True, request_id="3f9a2c", stream=out, errors=io.StringIO())
    output.result("restarted")
    assert json.loads(out.getvalue()) == {"success": True, "message": "restarted", "request_id": "3f9a2c"}
    out.truncate(out.seek(0))
    output.failure("fleet", "no Mapper")
    assert json.loads(out.getvalue()) == {"success": False, "message": "no Mapper", "request_id": "3f9a2c"}


@pytest.mark.parametrize(
    "words",
    [
        ["nonsense"],
        ["restart"],
        ["call", "robot1"],
        ["list", "--timeout", "-3"],
        ["list", "--timeout", "soon"],
        ["restart", "robot1", "--request-id", "two words"],
        ["unload", "robot1", "--request-id", ""],
        ["load", "my_robots:robot", "--request-id", "x" * 41],
    ],
)
def test_a_wrong_command_line_ends_with_code_2_and_the_usage(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2
    assert "usage: fleet" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        ["plan"],
        ["load"],
        ["call", "robot1", "Mapper", "go", "1", "x=2"],
        ["list", "--coordinator", "my coordinator"],
        ["list", "--coordinator", "/"],
    ],
)
def test_what_only_a_verb_can_see_is_wrong_ends_with_code_2_too(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    assert capsys.readouterr().err.startswith("fleet: ")


def test_help_explains_every_verb_and_every_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    text = capsys.readouterr().out
    for name, verb in VERBS.items():
        assert f"    {name} " in text
        assert (verb.__doc__ or "").split()[0] in text
    for code in ("  0  ", "  1  ", "  2  ", "  3  ", "  130  "):
        assert code in text


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_and_the_options_that_all_have(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([verb, "--help"])
    assert ended.value.code == 0
    text = capsys.readouterr().out
    assert all(option in text for option in ("--json", "--coordinator", "--timeout"))


def test_help_needs_no_ros_and_comes_at_once(project_path: Path) -> None:
    code = (
        "import sys; sys.modules['rclpy'] = None\n"
        "from dimos_ros.cli.main import main\n"
        "code = main([])\n"
        "assert not [m for m in ('rich', 'pydantic', 'numpy', 'yaml') if m in sys.modules], 'slow imports'\n"
        "sys.exit(code or main(['list']))"
    )
    completed = subprocess.run(
        [sys.executable, "-c", code], cwd=project_path, capture_output=True, text=True, timeout=30
    )
    assert completed.returncode == 3, completed.stderr
    assert "verbs:" in completed.stdout
    assert "rclpy cannot be imported" in completed.stderr
    assert "source the setup file of ROS 2" in completed.stderr
