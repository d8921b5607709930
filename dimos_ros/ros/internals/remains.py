"""What is left of a node after its own ``destroy_node``, or where that was never called or never got ready."""

from __future__ import annotations

import contextlib
import functools
import gc
import weakref
from typing import Any

from rclpy.context import Context
from rclpy.node import Node

from dimos_ros.ros.internals.internal import Internal
from dimos_ros.ros.internals.type_description import destroy_type_description

CALLBACKS = (
    "_callbacks",
    "_pre_set_parameters_callbacks",
    "_on_set_parameters_callbacks",
    "_post_set_parameters_callbacks",
)
"""Where rclpy keeps the callbacks for lifecycle transitions and for parameters."""


def free_remains(node: Node) -> None:
    """Give back the handles that a node still has, and drop what would keep it until a collection of garbage.

    A handle that an executor has in use is freed when that lets go of it. Raises nothing.
    """
    with contextlib.suppress(Exception):
        destroy_type_description(node)
    for attribute in ("_state_machine", "handle"):
        with contextlib.suppress(Exception):
            getattr(node, attribute).destroy_when_not_in_use()
    for attribute in CALLBACKS:
        with contextlib.suppress(Exception):
            getattr(node, attribute).clear()
    for name, value in list(vars(node).items()):
        while isinstance(value, functools.partial):
            value = value.func
        if getattr(value, "__self__", None) is node:
            del node.__dict__[name]


def _probe(context: Context) -> str:
    from rcl_interfaces.msg import SetParametersResult
    from rclpy.lifecycle import LifecycleNode  # the command line has no use for it

    class Managed(LifecycleNode):
        """A node with what free_remains is for: callbacks that are methods of its own."""

        def check(self, _: object) -> SetParametersResult:
            return SetParametersResult(successful=True)

    was_enabled = gc.isenabled()
    gc.disable()
    try:
        options: dict[str, Any] = {"start_parameter_services": False, "enable_rosout": False}
        node = Managed("probe", enable_communication_interface=False, context=context, **options)
        node.add_on_set_parameters_callback(node.check)
        reference = weakref.ref(node)
        missing = [name for name in (*CALLBACKS, "_state_machine") if not hasattr(node, name)]
        node.destroy_node()
        free_remains(node)
        del node
        if reference() is not None:
            raise RuntimeError(f"a node was kept although it was destroyed; it lacks {missing or 'nothing'}")
    finally:
        if was_enabled:
            gc.enable()
    return "a managed node was freed at once, without a collection of garbage"


INTERNAL = Internal(
    name="remains of a node",
    purpose="an unloaded node frees its memory and its endpoints at once, also where its constructor failed",
    touches=f"Node._type_description_service, LifecycleNode._state_machine, {', '.join(CALLBACKS)}",
    upstream="ros2/rclpy#1710",
    versions="7.1 and newer",
    fallback="the janitor of the container collects garbage, a second later",
    probe=_probe,
)
