"""Freeing the remains of a node after its ``destroy_node``, also if that was never called or did not finish."""

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
"""The attributes in which rclpy keeps the callbacks for lifecycle transitions and for parameters."""


def free_remains(node: Node) -> None:
    """Destroy the handles that a node still has, and remove references that keep it until a collection of garbage.

    Handles still in use by an executor are freed when it releases them. Raises nothing.
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
    from rclpy.lifecycle import LifecycleNode  # imported late: the command line does not need it

    class Managed(LifecycleNode):
        """A node that references itself: its callbacks are its own methods."""

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
            found = f"it has no {', '.join(missing)}" if missing else "it has all private parts that are freed"
            raise RuntimeError(f"a destroyed node was not freed without a collection of garbage; {found}")
    finally:
        if was_enabled:
            gc.enable()
    return "a managed node was freed at once, without a collection of garbage"


INTERNAL = Internal(
    name="remains of a node",
    purpose="an unloaded node frees its memory and its endpoints at once, also if its constructor failed",
    touches=f"Node._type_description_service, LifecycleNode._state_machine, {', '.join(CALLBACKS)}",
    upstream="ros2/rclpy#1710",
    versions="7.1 and newer",
    fallback="the container's janitor collects garbage, a second later",
    probe=_probe,
)
