"""Replacing the global executor that ``rclpy.spin_once`` and rclpy's other spin functions use."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import rclpy
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node

from dimos_ros.ros.internals.internal import Internal, NotNeededError, warn_once

GetExecutor = Callable[[], Any]


def replace_global_executor(replacement: GetExecutor) -> GetExecutor | None:
    """Make ``rclpy.spin*`` spin the executor that ``replacement()`` returns. Return the original function.

    Logs a warning and returns None if this rclpy's spin functions do not use ``rclpy.get_global_executor``.
    """
    if not _is_asked_for():
        warn_once(
            "this rclpy's spin functions do not use rclpy.get_global_executor: nodes that spin at the same time, in "
            "constructors or callbacks, disturb each other"
        )
        return None
    original: GetExecutor = rclpy.get_global_executor
    rclpy.get_global_executor = replacement
    return original


def restore_global_executor(replacement: GetExecutor, original: GetExecutor | None) -> None:
    """Undo :func:`replace_global_executor`, unless other code has replaced the executor since."""
    if original is not None and rclpy.get_global_executor == replacement:
        rclpy.get_global_executor = original


def _is_asked_for() -> bool:
    names = getattr(rclpy.spin_once, "__code__", None)
    return hasattr(rclpy, "get_global_executor") and names is not None and "get_global_executor" in names.co_names


def _probe(context: Context) -> str:
    executor = SingleThreadedExecutor(context=context)
    node = Node("probe", context=context, start_parameter_services=False, enable_rosout=False)
    asked: list[int] = []

    def replacement() -> SingleThreadedExecutor:
        asked.append(1)
        return executor

    original = replace_global_executor(replacement)
    try:
        if original is None:
            raise NotNeededError("rclpy.spin_once does not use rclpy.get_global_executor")
        rclpy.spin_once(node, timeout_sec=0.0)
        if not asked:
            raise RuntimeError("rclpy.spin_once spun another executor")
    finally:
        restore_global_executor(replacement, original)
        executor.shutdown()
        node.destroy_node()
    return "rclpy.spin_once spun the executor that replaced the global one"


INTERNAL = Internal(
    name="global executor",
    purpose="several nodes of a process can call rclpy.spin_once at the same time, also in callbacks",
    touches="rclpy.get_global_executor, replaced",
    upstream="ros2/rclpy#1018, ros2/rclpy#1211",
    versions="7.1 and newer",
    fallback="rclpy's one global executor: nested spins of several nodes disturb each other; the log says so once",
    probe=_probe,
)
