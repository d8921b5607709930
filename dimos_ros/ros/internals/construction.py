"""A wrapper around the construction of every node of this process."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from rclpy.context import Context
from rclpy.node import Node

from dimos_ros.ros.internals.internal import Internal

Construct = Callable[..., None]
Wrapper = Callable[[Construct, Node, str, dict[str, Any]], None]
"""``wrapper(construct, node, node_name, arguments)`` calls ``construct(node, node_name, **arguments)``."""


def wrap_construction(wrapper: Wrapper) -> None:
    """Call ``wrapper`` in place of ``Node.__init__`` from now on. Only the first call has an effect."""
    if not hasattr(Node.__init__, "is_wrapped"):
        _replace(_wrapped(Node.__init__, wrapper))


def _wrapped(original: Construct, wrapper: Wrapper) -> Construct:
    @functools.wraps(original)
    def construct(self: Node, node_name: str, **arguments: Any) -> None:
        wrapper(original, self, node_name, arguments)

    construct.is_wrapped = True  # type: ignore[attr-defined]
    return construct


def _replace(construct: Construct) -> None:
    Node.__init__ = construct  # type: ignore[method-assign]  # rclpy has no hook for it


def _probe(context: Context) -> str:
    from rclpy.lifecycle import LifecycleNode  # imported late: the command line does not need it

    seen: list[str] = []

    def rename(construct: Construct, node: Node, node_name: str, arguments: dict[str, Any]) -> None:
        seen.append(node_name)
        construct(node, f"{node_name}_renamed", **arguments)

    before = Node.__init__
    _replace(_wrapped(before, rename))
    try:
        for kind in (Node, LifecycleNode):
            node = kind("probe", context=context, start_parameter_services=False, enable_rosout=False)
            name = node.get_name()
            node.destroy_node()
            if name != "probe_renamed":
                raise RuntimeError(f"{kind.__name__} was constructed as {name!r}, without the wrapper")
    finally:
        _replace(before)
    return f"nodes were constructed through a wrapper: {', '.join(seen)}"


INTERNAL = Internal(
    name="construction of nodes",
    purpose="a node whose class takes no options gets the name, remap rules and parameters of its load request",
    touches="Node.__init__, replaced in the whole process",
    upstream="ros2/rclpy#575",
    versions="7.1 and newer",
    fallback="",
    probe=_probe,
)
