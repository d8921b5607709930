"""The modules that the coordinator's fork server imports before its first fork."""

from __future__ import annotations

from collections.abc import Callable

from dimos_ros.container import preload as container

MODULES = (
    "dimos_ros.blueprint.plan",
    "dimos_ros.coordinator.container_agent",
    "dimos_ros.coordinator.plan_in_child",
    "dimos_ros.module",
    "dimos_ros.module.node_parameters",
)


def preload() -> list[Callable[[], object]]:
    """Import the modules that containers and the planning of blueprints need."""
    return container.preload(MODULES)
