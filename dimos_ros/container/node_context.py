"""The rclpy context as a hosted node sees it: one that it can shut down without ending the others.

All nodes of a container share one rcl context, and with it one DDS participant. Shutting that down would
end them all, and ``rclpy.shutdown()`` is a call that node classes make.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from weakref import WeakMethod

import rclpy.utilities
from rclpy.context import Context


class NodeContext(Context):
    """One node's view of the ``shared`` context. ``on_call(what)`` hears of attempts to shut it down.

    After such an attempt ``ok()`` is false for this node, so that its own loops end.
    """

    _callbacks: list[Any]

    def __init__(self, shared: Context, on_call: Callable[[str], None]) -> None:
        super().__init__()
        self._shared = shared
        self._on_call = on_call
        self._ended = False

    @property
    def handle(self) -> Any:
        """The shared rcl context."""
        return self._shared.handle

    def init(self, *_: Any, **__: Any) -> None:
        """Nothing: the container has done it."""

    def ok(self) -> bool:
        """Whether the node is to go on."""
        return not self._ended and self._shared.ok()

    def get_domain_id(self) -> int:
        """The ROS domain that the container takes part in."""
        return self._shared.get_domain_id()

    def shutdown(self) -> None:
        """End the loops of this node, and of no other."""
        self._on_call("shut down its context")
        self.end()

    try_shutdown = shutdown

    def destroy(self) -> None:
        """Nothing: others use what is shared."""

    def end(self) -> None:
        """Make ``ok()`` false and call what was registered with ``on_shutdown``. Only the first call counts.

        Raises nothing; what callbacks raise is told to ``on_call``.
        """
        if self._ended:
            return
        self._ended = True
        callbacks, self._callbacks = list(self._callbacks), []
        for callback in callbacks:
            function = callback() if isinstance(callback, WeakMethod) else callback
            if function is None:
                continue
            try:
                function()
            except BaseException as error:
                self._on_call(f"has an on_shutdown callback that raised {type(error).__name__}: {error}")

    def _remove_callback(self, weak_method: Any) -> None:
        if weak_method in self._callbacks:
            self._callbacks.remove(weak_method)


class DefaultContext(NodeContext):
    """rclpy's default context while a container runs: ``rclpy.ok()`` is true and ``rclpy.shutdown()`` ends
    nothing. Nodes that a hosted node makes beside itself land in it."""

    def install(self) -> bool:
        """Become the default context, unless the program has initialized one; whether that was done."""
        current = rclpy.utilities.g_default_context
        if current is not None and current.handle is not None:
            return False
        rclpy.utilities.g_default_context = self
        return True

    def remove(self) -> None:
        """Be the default context no longer."""
        self.end()
        if rclpy.utilities.g_default_context is self:
            rclpy.utilities.g_default_context = None

    def shutdown(self) -> None:
        """Ignored, but told to ``on_call``."""
        # rclpy.shutdown() has taken it away by now.
        rclpy.utilities.g_default_context = self
        self._on_call("called rclpy.shutdown()")

    def try_shutdown(self) -> None:
        """Ignored, but told to ``on_call``."""
        self._on_call("called rclpy.try_shutdown()")
