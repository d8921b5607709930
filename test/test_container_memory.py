"""Loading and unloading for ever: nothing of a node stays."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("rclpy", reason="needs rclpy")

from conftest import seen_by_somebody_new
from container_client import ContainerClient

ROUNDS = int(os.environ.get("CONTAINER_ROUNDS", "1000"))
AT_ONCE = 4
"""Nodes that are there at the same time, to have the time between request and answer used."""
MAX_SLOPE = 2.0
"""Kilobytes a round. A node object that is left is ten and more, one left endpoint of it a hundred."""

SPARE = 3
"""Threads and descriptors that come and go: services keep idle threads for a while."""


class Usage:
    """What a process uses, round by round."""

    def __init__(self, pid: int) -> None:
        self._folder = Path(f"/proc/{pid}")
        self.kilobytes: list[tuple[int, int]] = []
        self.threads: list[int] = []
        self.descriptors: list[int] = []

    def note(self, round_: int) -> None:
        rollup = (self._folder / "smaps_rollup").read_text()
        # Not its share of libraries, which grows when another process that has them ends.
        (line,) = (line for line in rollup.splitlines() if line.startswith("Anonymous:"))
        self.kilobytes.append((round_, int(line.split()[1])))
        self.threads.append(len(list((self._folder / "task").iterdir())))
        self.descriptors.append(len(list((self._folder / "fd").iterdir())))


def slope(points: list[tuple[int, int]]) -> float:
    """Slope of the line that fits best."""
    mean_x = sum(x for x, _ in points) / len(points)
    mean_y = sum(y for _, y in points) / len(points)
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / sum((x - mean_x) ** 2 for x, _ in points)


def left_of_the_rounds(node: Any) -> object:
    """Topics and services of what was loaded; None where there are none, and the container is seen."""
    names = [name for name, _ in node.get_topic_names_and_types(no_demangle=True)]
    if not any(name.endswith("list_nodesReply") for name in names):
        return "no container"
    return [name for name in names if "/rounds/" in name] or None


def test_a_thousand_rounds_leave_no_memory_thread_descriptor_or_endpoint(
    fresh_client: ContainerClient, wait_for: Any
) -> None:
    client = fresh_client
    usage = Usage(client.process.process.pid)
    client.unload(client.loaded("Ten", node_name="first").unique_id)

    waiting: list[Any] = []
    for round_ in range(ROUNDS):
        request = client.request("Ten", node_name=f"ten{round_ % AT_ONCE}", node_namespace="/rounds")
        waiting.append(client.send(client.load_service, request))
        if len(waiting) == AT_ONCE:
            for future in waiting:
                response = wait_for(lambda future=future: future.result() if future.done() else None)
                assert response.success, response.error_message
                assert client.unload(response.unique_id).success
            waiting.clear()
            if round_ % 20 == AT_ONCE - 1:
                usage.note(round_)

    half = len(usage.kilobytes) // 2
    growth = slope(usage.kilobytes[half:])
    print(f"{growth:.3f} kB a round")
    assert growth < MAX_SLOPE, usage.kilobytes
    assert max(usage.threads[half:]) <= max(usage.threads[:half]) + SPARE
    assert max(usage.descriptors[half:]) <= max(usage.descriptors[:half]) + SPARE
    assert client.list() == {}
    assert seen_by_somebody_new(client.node.context.get_domain_id(), left_of_the_rounds) is None
