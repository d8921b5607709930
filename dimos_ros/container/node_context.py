"""The rclpy context as a hosted node sees it: one that it can shut down without ending the others.

All nodes of a container share one rcl context, and with it one DDS participant. Shutting that down would
end them all, and ``rclpy.shutdown()`` is a call that node classes make.
"""

from __future__ import annotations

from collections.abc import Callable

from rclpy.context import Context

from dimos_ros.ros.internals import BorrowedContext, default_context, set_default_context


class NodeContext(BorrowedContext):
    """One node's view of the ``shared`` context. ``on_call(what)`` hears of attempts to shut it down.

    After such an attempt ``ok()`` is false for this node, so that its own loops end.
    """

    def __init__(self, shared: Context, on_call: Callable[[str], None]) -> None:
        super().__init__(shared)
        self._on_call = on_call

    def shutdown(self) -> None:
        """End the loops of this node, and of no other."""
        self._on_call("shut down its context")
        self.end()

    def end(self) -> list[BaseException]:
        """As in the base class. What callbacks raise is told to ``on_call`` too."""
        errors = super().end()
        for error in errors:
            self._on_call(f"has an on_shutdown callback that raised {type(error).__name__}: {error}")
        return errors


class DefaultContext(NodeContext):
    """rclpy's default context while a container runs: ``rclpy.ok()`` is true and ``rclpy.shutdown()`` ends
    nothing. Nodes that a hosted node makes beside itself land in it."""

    def install(self) -> bool:
        """Become the default context, unless the program has initialized one; whether that was done."""
        current = default_context()
        if current is not None and current.handle is not None:
            return False
        return set_default_context(self)

    def remove(self) -> None:
        """Be the default context no longer."""
        self.end()
        if default_context() is self:
            set_default_context(None)

    def shutdown(self) -> None:
        """Ignored, but told to ``on_call``."""
        # rclpy.shutdown() has taken it away by now.
        set_default_context(self)
        self._on_call("called rclpy.shutdown()")

    def try_shutdown(self) -> None:
        """Ignored, but told to ``on_call``."""
        self._on_call("called rclpy.try_shutdown()")
