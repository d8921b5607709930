"""Destroying nodes so that nothing of them is left, whatever their own code does."""

from __future__ import annotations

import contextlib
import ctypes
import functools
from collections.abc import Iterable
from typing import Any

from rclpy.exceptions import InvalidHandle
from rclpy.node import Node

from dimos_ros.ros.errors import Interrupted


def end_type_description(node: Node) -> None:
    """Destroy the DDS entities of a node's ``get_type_description`` service.

    rclpy never does, in Jazzy and in Kilted: of each node that was destroyed, a service stays in the graph,
    and 100 kB. To be called before the node is destroyed, when no executor has it.
    """
    try:
        service = node._type_description_service._type_description_srv.impl
        fini = ctypes.CDLL("librcl.so").rcl_service_fini
    except (AttributeError, OSError):
        return  # switched off, or another rclpy
    fini.argtypes = [ctypes.c_void_p, ctypes.c_void_p]
    with contextlib.suppress(InvalidHandle), node.handle, service:
        fini(service.pointer, node.handle.pointer)


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
    with contextlib.suppress(Exception):
        node._type_description_service.destroy()
    for attribute in ("_state_machine", "handle"):
        with contextlib.suppress(Exception):
            getattr(node, attribute).destroy_when_not_in_use()
    # Methods of its own that it is to call would keep it until the next collection of garbage.
    for attribute in (
        "_callbacks",
        "_pre_set_parameters_callbacks",
        "_on_set_parameters_callbacks",
        "_post_set_parameters_callbacks",
    ):
        with contextlib.suppress(Exception):
            getattr(node, attribute).clear()
    for name, value in list(vars(node).items()):
        while isinstance(value, functools.partial):
            value = value.func
        if getattr(value, "__self__", None) is node:
            del node.__dict__[name]


def interrupt(threads: Iterable[int]) -> None:
    """Raise :class:`Interrupted` in other threads. It reaches Python code; what waits in C gets it on its return."""
    for ident in threads:
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(ident), ctypes.py_object(Interrupted))


def _listed(node: Node, attribute: str) -> list[Any]:
    try:
        return list(getattr(node, attribute))
    except AttributeError:
        return []  # its construction did not get that far
