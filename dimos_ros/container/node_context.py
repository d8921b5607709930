"""The rclpy context that a hosted node gets. The node can shut it down without ending the container's other nodes.

All nodes of a container share one rcl context, and so one DDS participant. Shutting that context down would end all
nodes, and many node classes call ``rclpy.shutdown()``.
"""

from __future__ import annotations

from collections.abc import Callable

from rclpy.context import Context

from dimos_ros.ros.internals import BorrowedContext, default_context, set_default_context


class NodeContext(BorrowedContext):
    """One node's view of the ``shared`` context.

    If the node shuts it down, ``on_call(what)`` is called, and ``ok()`` becomes false for this node, so that its loops
    end. ``what`` continues a sentence that begins with the node's name.
    """

    def __init__(self, shared: Context, on_call: Callable[[str], None]) -> None:
        super().__init__(shared)
        self._on_call = on_call

    def shutdown(self) -> None:
        """Make ``ok()`` false for this node alone, which ends its loops."""
        self._on_call("shut down its context")
        self.end()

    def end(self) -> list[BaseException]:
        """End this context. Errors of its ``on_shutdown`` callbacks are returned, and reported to ``on_call``."""
        errors = super().end()
        for error in errors:
            self._on_call(f"has an on_shutdown callback that raised {type(error).__name__}: {error}")
        return errors


class DefaultContext(NodeContext):
    """rclpy's default context while a container runs.

    ``rclpy.ok()`` is true and ``rclpy.shutdown()`` has no effect. Further nodes that a hosted node makes are in this
    context.
    """

    def install(self) -> bool:
        """Become the default context, unless the program has initialized one. Return whether it did."""
        current = default_context()
        if current is not None and current.handle is not None:
            return False
        return set_default_context(self)

    def remove(self) -> None:
        """Stop being the default context."""
        self.end()
        if default_context() is self:
            set_default_context(None)

    def shutdown(self) -> None:
        """Ignore the call, but report it to ``on_call``."""
        # rclpy.shutdown() has removed the default context by now.
        set_default_context(self)
        self._on_call("called rclpy.shutdown()")

    def try_shutdown(self) -> None:
        """Ignore the call, but report it to ``on_call``."""
        self._on_call("called rclpy.try_shutdown()")
