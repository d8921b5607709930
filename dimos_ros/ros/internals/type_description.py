"""Destroying a node's service ``get_type_description`` for good.

rclpy gives rcl's service object back without finalizing it: of each node that was destroyed, a service stays in the
graph, and 100 kB in memory. ``rcl_service_fini`` ends that. On an rclpy that finalizes the service itself, the same
call would touch memory that is freed. So this file first watches, once a process, what the rclpy that is there does.
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
"""Observations that have to agree: another node of the same name could come in the middle of one."""

_observing = threading.Lock()
_is_left: bool | None = None


def end_type_description(node: Node) -> None:
    """Destroy the DDS entities of a node's ``get_type_description`` service, where rclpy leaves them.

    To be called before the node is destroyed, when no executor has it.
    """
    description = getattr(getattr(node, "_type_description_service", None), "_type_description_srv", None)
    finalize = _rcl_service_fini()
    if description is None or finalize is None or not is_service_left(node):
        return  # switched off, or not needed
    service = description.impl
    with contextlib.suppress(InvalidHandle), node.handle, service:
        finalize(service.pointer, node.handle.pointer)


def destroy_type_description(node: Node) -> None:
    """Destroy the service as rclpy does. A node is kept by it where ``destroy_node`` leaves that out."""
    description = getattr(node, "_type_description_service", None)
    if description is not None:
        description.destroy()


def is_service_left(node: Node) -> bool:
    """Whether this rclpy leaves the service behind, which is watched on a second one of ``node``, once a process.

    False where it cannot be told.
    """
    global _is_left
    with _observing:
        if _is_left is None:
            try:
                _is_left = all(_leaves_one(node) for _ in range(TRIES))
            except (AttributeError, InvalidHandle, RclError):
                return False  # such as after the context was shut down
        return _is_left


def _leaves_one(node: Node) -> bool:
    """Make the service once more and destroy it as rclpy does; whether the graph still has it. It is gone then."""
    finalize = _rcl_service_fini()
    if finalize is None:
        return False
    name = f"{node.get_fully_qualified_name()}/get_type_description"
    before = node.count_services(name)
    with node.handle:
        description = _rclpy.TypeDescriptionService(node.handle)
        service = description.impl
        with service:
            # rcl's service object is one pointer. It is freed below; what it points to is what may be left.
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
            raise NotNeededError("a service that was destroyed is gone from the graph, or that could not be watched")
        end_type_description(node)
    finally:
        node.destroy_node()
        destroy_type_description(node)
    return "a service that was destroyed stayed in the graph until rcl finalized it"


INTERNAL = Internal(
    name="type description service",
    purpose="a node that was unloaded leaves neither a service in the graph nor 100 kB of memory",
    touches="Node._type_description_service, rclpy_implementation.TypeDescriptionService, rcl_service_fini by ctypes",
    upstream="ros2/rclpy#1711 (a comment on it), ros2/rclpy#1710; of rclcpp: ros2/rclcpp#2351",
    versions="7.1 and 9.1 at least; until TypeDescriptionService finalizes what it made",
    fallback="rclpy alone destroys the service",
    probe=_probe,
)
