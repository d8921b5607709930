"""All nodes of a fleet are discovered soon: by the fleet's own processes and by tools from outside."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

pytest.importorskip("rclpy", reason="needs rclpy")

from conftest import environment_with
from discovery_modules import Onlooker
from rclpy.utilities import get_rmw_implementation_identifier

from dimos_ros import ModuleCoordinator, autoconnect

pytestmark = pytest.mark.skipif(
    not get_rmw_implementation_identifier().startswith("rmw_fastrtps"), reason="about Fast DDS"
)

ROBOTS = ("robot1", "robot2", "robot3")
FLEET = {"/coordinator"} | {f"/{robot}/{name}" for robot in ROBOTS for name in ("onlooker", "container")}
SOON = 3.0
"""Seconds until all processes know each other. It takes a few tenths of a second, but 3 s, the period of announcements,
if an answer is missed; without an introducer some always are."""
OUTSIDERS = 5
OUTSIDER_SECONDS = 1.8
"""Seconds of the median of outsiders. It is 0.9 s on a busy machine, where Fast DDS inspects the shared memory of each
idle process for up to 0.3 s, and 2.3 s if answers are missed."""

OUTSIDER = """
import sys, time, rclpy
rclpy.init()
node = rclpy.create_node("outsider")
begin = time.monotonic()
missing = set(sys.argv[1:])
while missing and time.monotonic() - begin < 20:
    missing -= {f"{space.rstrip('/')}/{name}" for name, space in node.get_node_names_and_namespaces()}
    time.sleep(0.01)
print(missing or time.monotonic() - begin)
node.destroy_node()
rclpy.shutdown()
"""


@pytest.fixture
def coordinator(domain: int) -> Iterator[ModuleCoordinator]:
    fleet = autoconnect(*(Onlooker.blueprint().namespace(robot) for robot in ROBOTS))
    with ModuleCoordinator.build(fleet) as coordinator:
        yield coordinator


def test_all_processes_of_a_fleet_know_each_other_soon_after_it_is_up(
    coordinator: ModuleCoordinator, wait_for: Callable[..., Any]
) -> None:
    deadline = time.monotonic() + SOON

    def unknown_to_the_coordinator() -> set[str]:
        found = coordinator.node.node.get_node_names_and_namespaces()
        return FLEET - {f"{space.rstrip('/')}/{name}" for name, space in found}

    onlookers = [coordinator.get_instance(Onlooker, namespace=robot) for robot in ROBOTS]
    wait_for(lambda: not unknown_to_the_coordinator(), timeout=SOON, what="the coordinator knows all")
    for onlooker in onlookers:
        wait_for(lambda one=onlooker: set(one.nodes()) >= FLEET, timeout=max(0.1, deadline - time.monotonic()))


def test_outsiders_with_default_settings_see_the_whole_fleet_soon(coordinator: ModuleCoordinator) -> None:
    ours = ("FASTDDS_DEFAULT_PROFILES_FILE", "FASTRTPS_DEFAULT_PROFILES_FILE")
    environment = {k: v for k, v in environment_with().items() if k not in ours}
    taken = []
    for _ in range(OUTSIDERS):
        answer = subprocess.run(
            [sys.executable, "-c", OUTSIDER, *sorted(FLEET)],
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
            timeout=60,
            check=True,
        ).stdout
        assert not answer.startswith("{"), f"never seen: {answer}"
        # Fast DDS writes some warnings to the standard output too.
        taken.append(float(answer.split()[-1]))
    assert statistics.median(taken) < OUTSIDER_SECONDS, taken
