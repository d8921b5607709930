"""Node options for a class that takes none.

A container calls a component's class without arguments. The load request gives the name, remap rules and parameters.
rclcpp passes them to a component as NodeOptions. In rclpy a class passes its own fixed arguments to ``Node.__init__``.
:func:`applied` adds the options to these arguments, for the first node that the calling thread constructs.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

from rclpy.context import Context
from rclpy.node import Node
from rclpy.parameter import Parameter

from dimos_ros.ros.errors import log_raised
from dimos_ros.ros.internals import Construct, wrap_construction


class Host(Protocol):
    """The host of a node, such as a container, as the node's class sees it."""

    @property
    def directory(self) -> Any:
        """The ``calls.directory.Directory`` of the other nodes that this process knows; None if it has none."""

    def error(self, where: str, error: BaseException) -> None:
        """Log and count an error that a callback raised. ``where`` names the callback."""

    def state(self, label: str) -> None:
        """Take note that the node reached a lifecycle state, whichever program asked for it."""

    def finish(self, summary: str) -> None:
        """Take note that the node reports the job of the whole fleet as done."""


class LoggingHost:
    """The host of a node that a program constructs itself. It logs errors and counts them."""

    directory: Any = None

    def __init__(self, node: Node) -> None:
        self._node = node
        self.errors = 0
        self.last_error = ""

    def error(self, where: str, error: BaseException) -> None:
        """Log and count the error. Raise one that is not an Exception, such as SystemExit: the program handles it."""
        if not isinstance(error, Exception):
            raise error
        self.errors += 1
        self.last_error = log_raised(self._node.get_logger(), where, error)

    def state(self, label: str) -> None:
        """Do nothing: no other part of the program needs the state."""

    def finish(self, summary: str) -> None:
        """Log the summary."""
        self._node.get_logger().info(f"finished: {summary}")


@dataclass
class NodeOptions:
    """Options that a node is constructed with, in addition to those that its class passes.

    ``arguments`` have the form of a command line (``["--ros-args", "-r", "__node:=mapper"]``) and come before the
    class's own. ``parameter_overrides`` win over the class's own. ``host`` is given to the node by
    :func:`current_host`. ``created(node)`` is called once the rclpy node exists, before the rest of the class's
    constructor; an error that it raises leaves the constructor. ``node`` is set when the construction begins, and stays
    set if it fails.
    """

    context: Context
    arguments: list[str] = field(default_factory=list)
    parameter_overrides: list[Parameter] = field(default_factory=list)
    use_global_arguments: bool = False
    enable_rosout: bool | None = None
    start_parameter_services: bool | None = None
    enable_logger_service: bool | None = None
    host: Host | None = None
    created: Callable[[Node], None] | None = None
    node: Node | None = None


_pending = threading.local()


@contextlib.contextmanager
def applied(options: NodeOptions) -> Iterator[None]:
    """Apply ``options`` to the first node that this thread constructs within the block."""
    wrap_construction(_construct)
    _pending.options = _pending.host_options = options
    try:
        yield
    finally:
        _pending.options = _pending.host_options = None


def current_host() -> Host | None:
    """Return the host of the options that are being applied in this thread; None without options or host."""
    options = getattr(_pending, "host_options", None)
    return options.host if isinstance(options, NodeOptions) else None


def merged(options: NodeOptions, given: dict[str, Any]) -> dict[str, Any]:
    """Return keyword arguments for ``Node.__init__``: those that the class passes, overridden by the options."""
    result = dict(given)
    result["context"] = options.context
    result["cli_args"] = [*options.arguments, *(given.get("cli_args") or [])]
    result["use_global_arguments"] = options.use_global_arguments
    overrides = {p.name: p for p in [*(given.get("parameter_overrides") or []), *options.parameter_overrides]}
    result["parameter_overrides"] = list(overrides.values())
    for name in ("enable_rosout", "start_parameter_services", "enable_logger_service"):
        if getattr(options, name) is not None:
            result[name] = getattr(options, name)
    return result


def _construct(construct: Construct, node: Node, node_name: str, given: dict[str, Any]) -> None:
    """Construct a node of this process, with the options that are being applied in this thread, if any."""
    options = getattr(_pending, "options", None)
    if options is None:
        construct(node, node_name, **given)
        return
    _pending.options = None
    options.node = node
    construct(node, node_name, **merged(options, given))
    if options.created is not None:
        options.created(node)
