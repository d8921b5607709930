"""Contexts that borrow the rcl context of another context, and rclpy's default context."""

from __future__ import annotations

import contextlib
import inspect
import threading
from collections.abc import Callable
from typing import Any
from weakref import WeakMethod

import rclpy.utilities
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node

from dimos_ros.ros.internals.internal import Internal, NotNeededError


class BorrowedContext(Context):
    """A context that uses the rcl context of ``shared`` but ends on its own.

    rclpy's Context keeps the rcl context in an attribute that a subclass cannot reach. That attribute is never set
    here, so this class overrides each public method that reads it, ``on_shutdown`` among them. rclpy itself uses only
    ``handle`` and these methods. ``init()`` does nothing, because ``shared`` is initialized.
    """

    def __init__(self, shared: Context) -> None:
        super().__init__()
        self._shared = shared
        self._ended = False
        self._registering = threading.Lock()
        self._on_end: list[Callable[[], Callable[[], Any] | None]] = []
        """Functions that return a callback, or None if the callback's object no longer exists."""

    @property
    def handle(self) -> Any:
        """The shared rcl context."""
        return self._shared.handle

    def init(self, *_: Any, **__: Any) -> None:
        """Do nothing: the shared context is initialized."""

    def ok(self) -> bool:
        """Return whether neither this context nor the shared one has ended."""
        return not self._ended and self._shared.ok()

    def get_domain_id(self) -> int:
        """Return the ROS domain of the shared context."""
        return self._shared.get_domain_id()

    def shutdown(self) -> None:
        """End this context alone."""
        self.end()

    def try_shutdown(self) -> None:
        """Do the same as :meth:`shutdown`."""
        self.shutdown()

    def destroy(self) -> None:
        """Do nothing: other contexts use the shared rcl context."""

    def on_shutdown(self, callback: Callable[[], None]) -> None:
        """Call ``callback`` when this context ends, or now if it has ended. A method does not keep its object alive."""
        if not callable(callback):
            raise TypeError(f"on_shutdown takes a callable, not {type(callback).__name__}")
        with self._registering:
            if not self._ended:
                self._on_end.append(
                    WeakMethod(callback, self._forget) if inspect.ismethod(callback) else lambda: callback
                )
                return
        callback()

    def end(self) -> list[BaseException]:
        """Make ``ok()`` false and call the registered callbacks. Return the errors that they raised.

        A second call does nothing.
        """
        with self._registering:
            if self._ended:
                return []
            self._ended = True
            found, self._on_end = self._on_end, []
        errors: list[BaseException] = []
        for callback in [callback for get in found if (callback := get()) is not None]:
            try:
                callback()
            except BaseException as error:
                errors.append(error)
        return errors

    def _forget(self, reference: Any) -> None:
        # Do not take the lock: a collection of garbage may call this in the thread that holds it.
        with contextlib.suppress(ValueError):
            self._on_end.remove(reference)


def default_context() -> Context | None:
    """Return rclpy's default context, or None if there is none. Does not make one."""
    return getattr(rclpy.utilities, "g_default_context", None)


def set_default_context(context: Context | None) -> bool:
    """Make ``context`` rclpy's default context. Return whether this rclpy allows that.

    With None, rclpy makes a new default context when it needs one.
    """
    if not hasattr(rclpy.utilities, "g_default_context"):
        return False
    rclpy.utilities.g_default_context = context  # type: ignore[assignment]
    return True


def _probe_borrowed(context: Context) -> str:
    called: list[int] = []
    borrowed = BorrowedContext(context)
    borrowed.on_shutdown(lambda: called.append(1))
    node = Node("probe", context=borrowed, start_parameter_services=False, enable_rosout=False)
    executor = SingleThreadedExecutor(context=borrowed)
    try:
        executor.add_node(node)
        executor.spin_once(timeout_sec=0.0)
        if called or not borrowed.ok() or borrowed.handle is not context.handle:
            raise RuntimeError("a borrowed context does not use the rcl context of the shared one")
        if errors := borrowed.end():
            raise RuntimeError(f"an on_shutdown callback of a borrowed context raised {errors[0]}")
        if called != [1] or borrowed.ok() or not context.ok():
            raise RuntimeError(
                f"after the end of a borrowed context, {len(called)} of 1 callbacks had been called, and ok() was "
                f"{borrowed.ok()} for it and {context.ok()} for the shared context"
            )
    finally:
        executor.shutdown()
        node.destroy_node()
    return "a node ran in a borrowed context, whose end called its callback and left the shared context running"


def _probe_default(context: Context) -> str:
    before = default_context()
    if not set_default_context(context):
        raise NotNeededError("rclpy.utilities has no g_default_context")
    try:
        if rclpy.get_default_context() is not context or not rclpy.ok():
            raise RuntimeError("rclpy did not use the default context that was set")
    finally:
        set_default_context(before)
    return "rclpy.ok() and rclpy.get_default_context() used the context that was set"


INTERNALS = (
    Internal(
        name="borrowed context",
        purpose="a node can shut its context down, and the other nodes of its process go on",
        touches="Context, whose public methods are all overridden, since its attribute with rcl's context is never set",
        upstream="",
        versions="7.1 and newer",
        fallback="",
        probe=_probe_borrowed,
    ),
    Internal(
        name="default context",
        purpose="rclpy.ok() is true inside a container, and rclpy.shutdown() does not end the container",
        touches="rclpy.utilities.g_default_context, set",
        upstream="",
        versions="7.1 and newer",
        fallback="the default context stays uninitialized; a node that loops while rclpy.ok() ends at once",
        probe=_probe_default,
    ),
)
