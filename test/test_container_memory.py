"""Loading and unloading nodes a thousand times leaves no memory, thread, descriptor or endpoint."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("rclpy", reason="needs rclpy")

from conftest import fault_for_new_node
from container_client import ContainerClient

ROUNDS = int(os.environ.get("CONTAINER_ROUNDS", "1000"))
AT_ONCE = 4
"""Nodes that are loaded at the same time, so that the test does not wait for each answer."""
MAX_SLOPE = 2.0
"""Kilobytes per round. A node object that is left takes ten or more, an endpoint that is left a hundred."""

SPARE = 3
"""Threads and descriptors that come and go: services keep idle threads for a while."""


class Usage:
    """The memory, threads and descriptors of a process, round by round."""

    def __init__(self, pid: int) -> None:
        self._folder = Path(f"/proc/{pid}")
        self.kilobytes: list[tuple[int, int]] = []
        self.threads: list[int] = []
        self.descriptors: list[int] = []

    def note(self, round_: int) -> None:
        rollup = (self._folder / "smaps_rollup").read_text()
        # Do not count the share of libraries: it grows when another process that uses them ends.
        (line,) = (line for line in rollup.splitlines() if line.startswith("Anonymous:"))
        self.kilobytes.append((round_, int(line.split()[1])))
        self.threads.append(len(list((self._folder / "task").iterdir())))
        self.descriptors.append(len(list((self._folder / "fd").iterdir())))


def slope(points: list[tuple[int, int]]) -> float:
    """Return the slope of the line that fits the points best."""
    mean_x = sum(x for x, _ in points) / len(points)
    mean_y = sum(y for _, y in points) / len(points)
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / sum((x - mean_x) ** 2 for x, _ in points)


def left_of_the_rounds(node: Any) -> object:
    """Return topics and services of the loaded nodes; None if there are none although the container is discovered."""
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
    assert fault_for_new_node(client.node.context.get_domain_id(), left_of_the_rounds) is None
