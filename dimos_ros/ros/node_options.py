"""Options for a node that is constructed by a class which was not written to take any.

A component's class is called without arguments, and what it is to be named, remapped and set to
comes from whoever loads it. rclcpp hands a component its NodeOptions; in rclpy a class passes to
``Node.__init__`` whatever its author wrote. :func:`applied` adds to that, for the first node that
the calling thread constructs.
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
    """What hosts a node, as the node's own class sees it."""

    @property
    def directory(self) -> Any:
        """What the process knows of other nodes, a ``calls.directory.Directory``; None where it knows nothing."""

    def error(self, where: str, error: BaseException) -> None:
        """A callback raised: log it and count it. ``where`` names the callback."""

    def state(self, label: str) -> None:
        """A lifecycle state was reached, whatever asked for it."""

    def finish(self, summary: str) -> None:
        """The job of the whole fleet is done."""


class LoggingHost:
    """The host of a node that a program constructed itself: it logs and counts."""

    directory: Any = None

    def __init__(self, node: Node) -> None:
        self._node = node
        self.errors = 0
        self.last_error = ""

    def error(self, where: str, error: BaseException) -> None:
        """Log and count it. What is not an Exception, such as ``sys.exit()``, is the program's own affair."""
        if not isinstance(error, Exception):
            raise error
        self.errors += 1
        self.last_error = log_raised(self._node.get_logger(), where, error)

    def state(self, label: str) -> None:
        """Nothing: the node has its state itself."""

    def finish(self, summary: str) -> None:
        """Log it."""
        self._node.get_logger().info(f"finished: {summary}")


@dataclass
class NodeOptions:
    """What the node is constructed with, whatever its class says.

    ``arguments`` are as on a command line (``["--ros-args", "-r", "__node:=mapper"]``) and precede
    the class's own; ``parameter_overrides`` win over the class's own. ``host`` is whoever hosts the
    node: see :func:`current_host`. ``created(node)`` is called as soon as there is an rclpy node, before
    the rest of the class's constructor; what it raises, the constructor raises. ``node`` is the node, once
    its construction has begun, also where that failed.
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
    """Within this, the first node that this thread constructs takes ``options``."""
    wrap_construction(_construct)
    _pending.options = _pending.host_options = options
    try:
        yield
    finally:
        _pending.options = _pending.host_options = None


def current_host() -> Host | None:
    """The host given with the options that are being applied in this thread, if any."""
    options = getattr(_pending, "host_options", None)
    return options.host if isinstance(options, NodeOptions) else None


def merged(options: NodeOptions, given: dict[str, Any]) -> dict[str, Any]:
    """Keyword arguments for ``Node.__init__``: those given by the class, with the options over them."""
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
    """Construct a node of this process, with the options that its thread is to apply, if any."""
    options = getattr(_pending, "options", None)
    if options is None:
        construct(node, node_name, **given)
        return
    _pending.options = None
    options.node = node
    construct(node, node_name, **merged(options, given))
    if options.created is not None:
        options.created(node)
