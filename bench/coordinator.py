"""A fleet that the benchmark controls with the Python API."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from dimos_ros import Blueprint, ModuleCoordinator

QUIET = ["--ros-args", "--log-level", "warn"]


@contextlib.contextmanager
def running(blueprint: Blueprint) -> Iterator[ModuleCoordinator]:
    """Run a coordinator whose blueprint is up."""
    coordinator = ModuleCoordinator.build(blueprint, arguments=QUIET)
    try:
        yield coordinator
    finally:
        coordinator.stop()
