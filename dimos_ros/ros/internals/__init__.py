"""All private parts of rclpy that this package uses or replaces, behind named functions.

No file outside this folder uses a private part of rclpy; a test checks that. Each use is listed with its reason, the
upstream issue, the versions that need it, a fallback and a probe. ``python -m dimos_ros.ros.internals`` prints the
table for the installed rclpy.
"""

from dimos_ros.ros.internals.construction import Construct, wrap_construction
from dimos_ros.ros.internals.contexts import BorrowedContext, default_context, set_default_context
from dimos_ros.ros.internals.dropped_responses import is_sent
from dimos_ros.ros.internals.entities import (
    callback_of,
    drop_callbacks,
    set_callback,
    set_sender,
    unwatch_entities,
    watch_entities,
)
from dimos_ros.ros.internals.events_executor import FOREVER, events_executor_fault, make_events_executor
from dimos_ros.ros.internals.forks import keep_handles
from dimos_ros.ros.internals.global_executor import replace_global_executor, restore_global_executor
from dimos_ros.ros.internals.handles import ClientHandle, RclError, ServiceHandle
from dimos_ros.ros.internals.internal import warn_once
from dimos_ros.ros.internals.interrupting import interrupt_threads
from dimos_ros.ros.internals.lifecycle import lifecycle_state
from dimos_ros.ros.internals.logging import warm_logging
from dimos_ros.ros.internals.multi_executor import report_task_errors
from dimos_ros.ros.internals.parameter_overrides import parameter_override
from dimos_ros.ros.internals.remains import free_remains
from dimos_ros.ros.internals.type_description import end_type_description

__all__ = [
    "FOREVER",
    "BorrowedContext",
    "ClientHandle",
    "Construct",
    "RclError",
    "ServiceHandle",
    "callback_of",
    "default_context",
    "drop_callbacks",
    "end_type_description",
    "events_executor_fault",
    "free_remains",
    "interrupt_threads",
    "is_sent",
    "keep_handles",
    "lifecycle_state",
    "make_events_executor",
    "parameter_override",
    "replace_global_executor",
    "report_task_errors",
    "restore_global_executor",
    "set_callback",
    "set_default_context",
    "set_sender",
    "unwatch_entities",
    "warm_logging",
    "warn_once",
    "watch_entities",
    "wrap_construction",
]
