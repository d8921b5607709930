"""Complete destruction of a node's service ``get_type_description``.

rclpy frees rcl's service object without finalizing it. So each destroyed node leaves a service in the graph and 100 kB
in memory. ``rcl_service_fini`` finalizes it. If rclpy finalizes the service itself, the same call would touch freed
memory. So this file first observes, once per process, how the installed rclpy behaves.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import threading
from collections.abc import Callable

from rclpy.context import Context
from rclpy.exceptions import InvalidHandle
from rclpy.impl.implementation_singleton import rclpy_implementation as _rclpy
from rclpy.node import Node

from dimos_ros.ros.internals.handles import RclError
from dimos_ros.ros.internals.internal import Internal, NotNeededError

TRIES = 2
"""Observations that must agree, because another node of the same name may appear during one."""

_observing = threading.Lock()
_is_left: bool | None = None


def end_type_description(node: Node) -> None:
    """Destroy the DDS entities of a node's ``get_type_description`` service, if rclpy would leave them.

    Call it before the node is destroyed, when no executor has the node.
    """
    description = getattr(getattr(node, "_type_description_service", None), "_type_description_srv", None)
    finalize = _rcl_service_fini()
    if description is None or finalize is None or not is_service_left(node):
        return  # the service is switched off, or rclpy finalizes it itself
    service = description.impl
    with contextlib.suppress(InvalidHandle), node.handle, service:
        finalize(service.pointer, node.handle.pointer)


def destroy_type_description(node: Node) -> None:
    """Destroy the service as rclpy does. If ``destroy_node`` did not, the service would keep the node alive."""
    description = getattr(node, "_type_description_service", None)
    if description is not None:
        description.destroy()


def is_service_left(node: Node) -> bool:
    """Return whether this rclpy leaves the service behind; False if that cannot be observed.

    The observation is made once per process, with a second such service of ``node``.
    """
    global _is_left
    with _observing:
        if _is_left is None:
            try:
                _is_left = all(_leaves_one(node) for _ in range(TRIES))
            except (AttributeError, InvalidHandle, RclError):
                return False  # for example, after the context was shut down
        return _is_left


def _leaves_one(node: Node) -> bool:
    """Make the service a second time and destroy it as rclpy does. Return whether the graph still had it.

    A service that was left is finalized.
    """
    finalize = _rcl_service_fini()
    if finalize is None:
        return False
    name = f"{node.get_fully_qualified_name()}/get_type_description"
    before = node.count_services(name)
    with node.handle:
        description = _rclpy.TypeDescriptionService(node.handle)
        service = description.impl
        with service:
            # rcl's service object is one pointer. The object is freed below; the memory that it points to may be left.
            content = ctypes.c_void_p(ctypes.c_void_p.from_address(service.pointer).value)
        service.destroy_when_not_in_use()
        del service
        made = node.count_services(name)
        description.destroy_when_not_in_use()
        del description
        is_left = made == before + 1 and node.count_services(name) == made
        if is_left:
            finalize(ctypes.addressof(content), node.handle.pointer)
    return is_left


@functools.cache
def _rcl_service_fini() -> Callable[[int, int], int] | None:
    try:
        finalize = ctypes.CDLL("librcl.so").rcl_service_fini
    except (AttributeError, OSError):
        return None
    finalize.argtypes = [ctypes.c_void_p, ctypes.c_void_p]
    return finalize


def _probe(context: Context) -> str:
    node = Node("probe", context=context, start_parameter_services=False, enable_rosout=False)
    try:
        if not is_service_left(node):
            raise NotNeededError("a destroyed service left the graph, or that could not be observed")
        end_type_description(node)
    finally:
        node.destroy_node()
        destroy_type_description(node)
    return "a destroyed service stayed in the graph until rcl finalized it"


INTERNAL = Internal(
    name="type description service",
    purpose="an unloaded node leaves neither a service in the graph nor 100 kB of memory",
    touches="Node._type_description_service, rclpy_implementation.TypeDescriptionService, rcl_service_fini by ctypes",
    upstream="ros2/rclpy#1711 (a comment on it), ros2/rclpy#1710; of rclcpp: ros2/rclcpp#2351",
    versions="7.1 and 9.1 at least; until TypeDescriptionService finalizes its service",
    fallback="only rclpy destroys the service",
    probe=_probe,
)
