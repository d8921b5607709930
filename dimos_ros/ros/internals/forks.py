"""Keeping a forked process from destroying the endpoints that it shares with its parent."""

from __future__ import annotations

from typing import Any

from rclpy.context import Context
from rclpy.impl.implementation_singleton import rclpy_implementation as _rclpy

from dimos_ros.ros.internals.internal import Internal, NotNeededError


def keep_handles() -> None:
    """Stop rclpy from destroying any handle in this process, which was forked from a process with nodes.

    Destroying an endpoint tells its peers that it is gone. It also takes locks that a thread of the parent may have
    held during the fork.
    """
    if _can_be_kept():
        _rclpy.Destroyable.destroy_when_not_in_use = _ignore  # type: ignore[method-assign, assignment]


def _ignore(_: Any) -> None: ...


def _can_be_kept() -> bool:
    return hasattr(getattr(_rclpy, "Destroyable", None), "destroy_when_not_in_use")


def _probe(context: Context) -> str:
    if not _can_be_kept():
        raise NotNeededError("handles of this rclpy have no destroy_when_not_in_use")
    destroyable: Any = _rclpy.Destroyable
    destroyed: list[Any] = []
    before = destroyable.destroy_when_not_in_use
    destroyable.destroy_when_not_in_use = lambda handle: destroyed.append(handle)
    try:
        handle: Any = _rclpy.GuardCondition(context.handle)  # type: ignore[arg-type]
        handle.destroy_when_not_in_use()
    finally:
        destroyable.destroy_when_not_in_use = before
    if not destroyed:
        raise RuntimeError("a handle was destroyed without the replacement of Destroyable.destroy_when_not_in_use")
    handle.destroy_when_not_in_use()
    return "destroying a handle called the replacement"


INTERNAL = Internal(
    name="handles after a fork",
    purpose="a process that a node forks does not destroy the endpoints of its container",
    touches="rclpy_implementation.Destroyable.destroy_when_not_in_use, replaced in the forked process",
    upstream="ros2/rclpy#328",
    versions="7.1 and newer",
    fallback="a forked process that destroys nodes may hang, or tell peers that the container's endpoints are gone",
    probe=_probe,
)
