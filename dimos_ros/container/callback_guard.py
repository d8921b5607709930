"""The guard around a node's callbacks: it keeps their errors from the executor, and knows which callbacks run now.

An error that reaches an rclpy executor ends its spin. The EventsExecutor also drops the rest of its batch, and handles
each later message one message late.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import os
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from typing import Any

from rclpy.node import Node

from dimos_ros.container.fork_guard import leave_fork
from dimos_ros.ros.errors import Interrupted
from dimos_ros.ros.internals import (
    callback_of,
    drop_callbacks,
    set_callback,
    set_sender,
    unwatch_entities,
    watch_entities,
)
from dimos_ros.ros.responses import send_from_executor

_NO_ANSWER = object()


class CallbackGuard:
    """The guard around the callbacks of one node. It calls ``report(where, error)`` with each error that they raise."""

    def __init__(self, report: Callable[[str, BaseException], None]) -> None:
        self._report = report
        self.process = os.getpid()
        self._running: dict[int, str] = {}
        self._entities: weakref.WeakSet[Any] = weakref.WeakSet()

    @contextlib.contextmanager
    def running(self, where: str) -> Iterator[None]:
        """Note that the calling thread runs the node's code within the block. ``where`` names the code, for people."""
        ident = threading.get_ident()
        outer = self._running.get(ident)
        self._running[ident] = where
        try:
            yield
        finally:
            self._left(ident, outer)

    @property
    def threads(self) -> list[int]:
        """Identifiers of the threads that run the node's code now."""
        return list(self._running)

    def busy_with(self) -> str:
        """Return the names of the node's code that runs now, for people; "" if none runs."""
        return ", ".join(list(self._running.values()))

    def wait_idle(self, timeout: float) -> bool:
        """Wait until no other thread runs the node's code. Return false if one still does after ``timeout`` seconds."""
        deadline = time.monotonic() + timeout
        while set(self._running) - {threading.get_ident()}:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.001)
        return True

    def watch(self, node: Node) -> None:
        """Guard all callbacks of ``node``, including the callbacks of entities that it creates later."""
        watch_entities(node, self._wrap)

    def release(self, node: Node) -> None:
        """Drop the references to a destroyed node and its callbacks.

        A callback is usually a method of the node, and the node has the entity as an attribute. This cycle would keep
        the node until the next collection of garbage.
        """
        unwatch_entities(node)
        for entity in list(self._entities):
            drop_callbacks(entity)

    def _wrap(self, kind: str, entity: Any) -> None:
        self._entities.add(entity)
        callback = callback_of(kind, entity)
        if callback is None or hasattr(callback, "guarded"):
            return
        where = type(entity).__name__ if kind == "waitable" else f"{_name_of(callback)} ({_describe(kind, entity)})"
        set_callback(kind, entity, self._guarded(callback, where, _NO_ANSWER if kind == "service" else None))
        if kind == "service":
            set_sender(entity, functools.partial(self._send, entity, where))

    def _guarded(self, callback: Callable[..., Any], where: str, failed: Any) -> Callable[..., Any]:
        """Return a wrapper of ``callback`` that reports an error and returns ``failed`` instead of raising it."""
        if inspect.iscoroutinefunction(callback):

            @functools.wraps(callback)
            async def guarded(*args: Any) -> Any:
                try:
                    return await callback(*args)
                except GeneratorExit:
                    raise
                except BaseException as error:
                    self._raised(where, error)
                    return failed
                finally:
                    leave_fork(self.process)

        else:
            # The code of running() is repeated here because it runs for every message: each function call would take
            # its share of a processor cache that is cold when a message comes.
            running, process, get_ident, getpid = self._running, self.process, threading.get_ident, os.getpid

            @functools.wraps(callback)
            def guarded(*args: Any) -> Any:
                ident = get_ident()
                outer = running.get(ident)
                running[ident] = where
                try:
                    return callback(*args)
                except BaseException as error:
                    self._raised(where, error)
                    return failed
                finally:
                    if outer is None:
                        running.pop(ident, None)
                    else:
                        running[ident] = outer
                    if getpid() != process:
                        leave_fork(process)

        guarded.guarded = True  # type: ignore[attr-defined]
        return guarded

    def _send(self, service: Any, where: str, response: Any, header: Any) -> None:
        """Send a service's response. A callback that raised has none, and sends none, as with any rclpy node."""
        if response is _NO_ANSWER:
            return
        wanted = service.srv_type.Response
        if isinstance(response, wanted):
            send_from_executor(service.handle, response, getattr(header, "request_id", header))
        else:
            self._report(where, TypeError(f"the answer is a {type(response).__name__}, not a {wanted.__name__}"))

    def _left(self, ident: int, outer: str | None) -> None:
        if outer is None:
            self._running.pop(ident, None)
        else:
            self._running[ident] = outer
        if os.getpid() != self.process:
            leave_fork(self.process)

    def _raised(self, where: str, error: BaseException) -> None:
        leave_fork(self.process, error)
        if not isinstance(error, Interrupted):
            self._report(where, error)


def _name_of(callback: Any) -> str:
    while isinstance(callback, functools.partial):
        callback = callback.func
    return getattr(callback, "__qualname__", None) or type(callback).__qualname__


def _describe(kind: str, entity: Any) -> str:
    if kind == "subscription":
        return f"subscription {entity.topic_name}"
    if kind == "service":
        return f"service {entity.srv_name}"
    if kind == "timer":
        return f"timer, {entity.timer_period_ns / 1e9:g} s"
    return kind
