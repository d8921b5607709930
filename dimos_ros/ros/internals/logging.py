"""Having rclpy's logging do early what it does with its first message."""

from __future__ import annotations

import importlib

from rclpy.context import Context

from dimos_ros.ros.internals.internal import Internal, NotNeededError


def warm_logging() -> bool:
    """Look where rclpy's own files are, which a process's first log message does for 20 ms. Whether it was done."""
    try:
        importlib.import_module("rclpy.impl.rcutils_logger").CallerId()
    except (ImportError, AttributeError):
        return False
    return True


def _probe(context: Context) -> str:
    if not warm_logging():
        raise NotNeededError("rclpy.impl.rcutils_logger has no CallerId")
    return "a caller was looked up without a message"


INTERNAL = Internal(
    name="first log message",
    purpose="the first message of each container costs 20 ms less",
    touches="rclpy.impl.rcutils_logger.CallerId",
    upstream="",
    versions="7.1 and newer",
    fallback="the first message of each process takes its 20 ms",
    probe=_probe,
)
