"""Destroying nodes so that nothing of them is left, whatever their own code does."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from typing import Any

from rclpy.node import Node

from dimos_ros.ros.errors import Interrupted
from dimos_ros.ros.internals import end_type_description, free_remains, interrupt_threads

__all__ = ["destroy_remains", "end_type_description", "interrupt"]


def destroy_remains(node: Node) -> None:
    """Destroy what a node's own ``destroy_node`` left, or all if it was never called or never got ready.

    A handle that an executor has in use is freed when that lets go of it.
    """
    for waitable in _listed(node, "waitables"):
        # Actions are not in the lists that destroy_node works off.
        with contextlib.suppress(Exception):
            waitable.destroy()
    with contextlib.suppress(Exception):
        Node.destroy_node(node)
    free_remains(node)


def interrupt(threads: Iterable[int]) -> None:
    """Raise :class:`Interrupted` in other threads. It reaches Python code; what waits in C gets it on its return."""
    interrupt_threads(threads, Interrupted)


def _listed(node: Node, attribute: str) -> list[Any]:
    try:
        return list(getattr(node, attribute))
    except AttributeError:
        return []  # its construction did not get that far
