"""Contexts that share the rcl context of another one, and rclpy's default context."""

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
    """A context that has the rcl context of ``shared`` and an end of its own.

    rclpy's Context keeps rcl's context in an attribute that a subclass cannot reach, and that is never set here. So
    each public method that reads it is overridden, ``on_shutdown`` among them; rclpy itself uses ``handle`` and
    these methods. An ``init()`` does nothing, as ``shared`` is initialized.
    """

    def __init__(self, shared: Context) -> None:
        super().__init__()
        self._shared = shared
        self._ended = False
        self._registering = threading.Lock()
        self._on_end: list[Callable[[], Callable[[], Any] | None]] = []
        """Each gives a callback, or None where the object that it was a method of is gone."""

    @property
    def handle(self) -> Any:
        """The shared rcl context."""
        return self._shared.handle

    def init(self, *_: Any, **__: Any) -> None:
        """Nothing: the shared context is initialized."""

    def ok(self) -> bool:
        """Whether neither this context nor the shared one has ended."""
        return not self._ended and self._shared.ok()

    def get_domain_id(self) -> int:
        """The ROS domain of the shared context."""
        return self._shared.get_domain_id()

    def shutdown(self) -> None:
        """End this context, and no other."""
        self.end()

    def try_shutdown(self) -> None:
        """As :meth:`shutdown`."""
        self.shutdown()

    def destroy(self) -> None:
        """Nothing: others use what is shared."""

    def on_shutdown(self, callback: Callable[[], None]) -> None:
        """Have ``callback`` called when this context ends, or now if it has. The object of a method is not kept."""
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
        """Make ``ok()`` false and call what was registered. What callbacks raise is returned; a second call does
        nothing."""
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
        # Without the lock: garbage may be collected in the thread that holds it.
        with contextlib.suppress(ValueError):
            self._on_end.remove(reference)


def default_context() -> Context | None:
    """rclpy's default context if there is one; none is made."""
    return getattr(rclpy.utilities, "g_default_context", None)


def set_default_context(context: Context | None) -> bool:
    """Make ``context`` rclpy's default context, None for that a new one is made. Whether this rclpy lets it be set."""
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
            raise RuntimeError("a borrowed context is not the shared one")
        if errors := borrowed.end():
            raise RuntimeError(f"what rclpy registered with a borrowed context raised {errors[0]}")
        if called != [1] or borrowed.ok() or not context.ok():
            raise RuntimeError(f"a borrowed context ended wrongly: {len(called)} callbacks, shared {context.ok()}")
    finally:
        executor.shutdown()
        node.destroy_node()
    return "a node lived in it, its end called what was registered, and the shared context went on"


def _probe_default(context: Context) -> str:
    before = default_context()
    if not set_default_context(context):
        raise NotNeededError("rclpy.utilities has no g_default_context")
    try:
        if rclpy.get_default_context() is not context or not rclpy.ok():
            raise RuntimeError("rclpy does not use the default context that was set")
    finally:
        set_default_context(before)
    return "rclpy.ok() and rclpy.get_default_context() gave the context that was set"


INTERNALS = (
    Internal(
        name="borrowed context",
        purpose="a node shuts its own context down, and the others of its process go on",
        touches="Context, whose public methods are all overridden: the attribute with rcl's context is never set",
        upstream="",
        versions="7.1 and newer",
        fallback="",
        probe=_probe_borrowed,
    ),
    Internal(
        name="default context",
        purpose="rclpy.ok() is true inside of a container, and rclpy.shutdown() ends nothing",
        touches="rclpy.utilities.g_default_context, set",
        upstream="",
        versions="7.1 and newer",
        fallback="the default context stays uninitialized; a node that loops while rclpy.ok() ends at once",
        probe=_probe_default,
    ),
)
