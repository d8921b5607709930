"""Destroying nodes completely, even if their own code fails to."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from typing import Any

from rclpy.node import Node

from dimos_ros.ros.errors import Interrupted
from dimos_ros.ros.internals import end_type_description, free_remains, interrupt_threads

__all__ = ["destroy_remains", "end_type_description", "interrupt"]


def destroy_remains(node: Node) -> None:
    """Destroy whatever the node's own ``destroy_node`` did not, or everything if it never ran or did not finish.

    Handles still in use by an executor are freed when it releases them.
    """
    for waitable in _listed(node, "waitables"):
        # destroy_node does not destroy actions: they are not in the lists that it goes through.
        with contextlib.suppress(Exception):
            waitable.destroy()
    with contextlib.suppress(Exception):
        Node.destroy_node(node)
    free_remains(node)


def interrupt(threads: Iterable[int]) -> None:
    """Raise :class:`Interrupted` in other threads. A thread that waits in C code gets it when that code returns."""
    interrupt_threads(threads, Interrupted)


def _listed(node: Node, attribute: str) -> list[Any]:
    try:
        return list(getattr(node, attribute))
    except AttributeError:
        return []  # the constructor failed before it made the list
