"""The file from which a container restores its nodes: readable, versioned, and refused in words where it is damaged."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("rclpy", reason="the room of containers needs rclpy")

from dimos_ros.container.load_record import MAX_ATTEMPTS, LoadRecord, RestoreFileError
from dimos_ros.loading.load_request import LoadRequest
from dimos_ros.loading.values import EmptyArray

REQUEST = LoadRequest(
    "my_pkg",
    "my_pkg.nodes:Talker",
    "talker",
    "/robot1",
    remap_rules=("chatter:=words",),
    parameters={
        "rate": 0.5,
        "nan": float("nan"),
        "raw": b"\x00\xff",
        "none": EmptyArray("float"),
        "names": ["a", "b"],
        "unset": None,
    },
    log_level=10,
    extra_arguments={"enable_rosout": False},
)


def test_what_was_loaded_is_found_again_exactly_and_can_be_read(tmp_path: Path) -> None:
    path = tmp_path / "nodes.json"
    record = LoadRecord(path)
    record.loaded(3, "/robot1/talker", REQUEST)
    record.loaded(4, "/robot1/other", REQUEST)
    record.unloaded(4)
    again = LoadRecord(path)
    assert again.last_id == 4
    assert list(again.left()) == [(3, REQUEST)]
    request = json.loads(path.read_text())["nodes"]["3"]["request"]
    assert (request["plugin_name"], request["node_namespace"]) == ("my_pkg.nodes:Talker", "/robot1")
    assert request["parameters"]["names"] == ["a", "b"]


def test_a_node_that_ends_the_container_each_time_is_given_up(tmp_path: Path) -> None:
    path = tmp_path / "nodes.json"
    LoadRecord(path).loaded(1, "/robot1/talker", REQUEST)
    for _ in range(MAX_ATTEMPTS):
        assert [number for number, _ in LoadRecord(path).left()] == [1]
    assert list(LoadRecord(path).left()) == []


GOOD = {"version": 1, "last_id": 1, "nodes": {"1": {"node": "/n", "attempts": 0, "request": REQUEST.to_dict()}}}


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "\x00\x01",
        "null",
        json.dumps({"last_id": 1, "nodes": {}}),
        json.dumps({**GOOD, "version": 2}),
        json.dumps({**GOOD, "last_id": "x"}),
        json.dumps({**GOOD, "nodes": []}),
        json.dumps({**GOOD, "nodes": {"1": {"cdr": "AAA="}}}),
        json.dumps({**GOOD, "nodes": {"one": GOOD["nodes"]["1"]}}),  # type: ignore[index]
        json.dumps({**GOOD, "nodes": {"1": {"node": "/n", "attempts": 0, "request": {"plugin_name": "x"}}}}),
    ],
)
def test_a_file_that_no_container_wrote_is_refused_in_words_and_left_alone(content: str, tmp_path: Path) -> None:
    path = tmp_path / "nodes.json"
    path.write_text(content)
    with pytest.raises(RestoreFileError, match=r"nodes\.json is not a file .*; delete it to start empty$"):
        LoadRecord(path)
    assert path.read_text() == content
