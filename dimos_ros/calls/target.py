"""One instance as its callers reach it: within the process, or through its ``~/call`` service.

Every wait ends, with the answer or with an error that says what is known of the instance:

* It does not exist, or was unloaded: TargetNotFoundError within ``absent_timeout``.
* Its process ends during the call, or it is unloaded or restarted: TargetDiedError. At once where a coordinator
  tells of it; within a second where the caller is on the same machine, or where it left the graph in order. The
  request is not sent again, since the instance may have acted on it.
* It is being restarted: a call that was not sent yet waits for the new incarnation, until its deadline. One that
  the new incarnation refuses because it is not active yet waits ``absent_timeout`` for that.
* It is not active: TargetInactiveError. The deadline is over: CallTimeoutError.

A process that has not reached an incarnation yet first asks it who it is, again and again, until it answers. DDS
loses what is sent before both sides have found each other, and a graph that still shows a process that was
killed, or a part of it, says nothing of the one that takes its place.
"""

from __future__ import annotations

import threading
import time
from typing import Any, Protocol

from dimos_interfaces.srv import Call
from rclpy.node import Node

from dimos_ros.calls.conversion import from_json
from dimos_ros.calls.directory import ACTIVE, UNLOADED, Directory, Known
from dimos_ros.calls.server import IDENTITY, Answer, CallServer
from dimos_ros.exceptions import (
    CallError,
    CallTimeoutError,
    TargetDiedError,
    TargetInactiveError,
    TargetNotFoundError,
)
from dimos_ros.naming.wording import nearest
from dimos_ros.processes.process_identity import ProcessWatch
from dimos_ros.processes.threads import CachedThreads
from dimos_ros.ros.service_caller import CHECK_SECONDS, ServiceCaller

FIRST_PAUSE, LONGEST_PAUSE = 0.001, 0.02
"""Seconds between two looks for an instance that the graph does not show yet."""

PROBE_SECONDS = 0.05
"""How long the answer to the question who is there is waited for before it is asked again."""

CALL_TYPE = "dimos_interfaces/srv/Call"


class Bounds(Protocol):
    """Where bounds are read at each call, in seconds: a Module's own parameters, or :class:`FixedBounds`."""

    @property
    def call_timeout(self) -> float: ...

    @property
    def absent_timeout(self) -> float: ...


class FixedBounds:
    """Bounds that stay as they are."""

    def __init__(self, call_timeout: float = 10.0, absent_timeout: float = 1.0) -> None:
        self.call_timeout = call_timeout
        self.absent_timeout = absent_timeout


class _Wait:
    """The time that one call has."""

    __slots__ = ("absent_timeout", "deadline", "refused_by", "refused_until", "start", "timeout")

    def __init__(self, timeout: float, absent_timeout: float) -> None:
        self.start = time.monotonic()
        self.timeout, self.absent_timeout = timeout, absent_timeout
        self.deadline = self.start + timeout
        self.refused_by: int | None = None
        """The incarnation that refused the call, not being active, and until when it is given time for that."""
        self.refused_until = 0.0

    @property
    def left(self) -> float:
        return max(self.deadline - time.monotonic(), 0.0)

    @property
    def absent_until(self) -> float:
        # The error is to be there within the bound, and it takes a moment to say what there is instead.
        return min(self.deadline, self.start + 0.95 * self.absent_timeout)


class _Route:
    """The way to one incarnation: its call server in this process, or a client that it has answered."""

    __slots__ = ("caller", "incarnation", "process", "server", "target")

    def __init__(
        self,
        target: Target,
        incarnation: int | None,
        server: CallServer | None = None,
        caller: ServiceCaller | None = None,
        process: ProcessWatch | None = None,
    ) -> None:
        self.target = target
        self.incarnation = incarnation
        """None where no coordinator counts them."""
        self.server = server
        self.caller = caller
        self.process = process

    def check(self) -> None:
        """Raise ConnectionError where a call that is under way has nobody to answer it any more."""
        if self.process is not None and self.process.has_ended:
            raise ConnectionError("its process ended")
        if not self.target._is_now(self.incarnation):
            raise ConnectionError("it was unloaded or restarted")


class Target:
    """The instance ``name``, a full node name, as seen from ``node``. Close it before the node."""

    def __init__(self, node: Node, name: str, class_name: str, directory: Directory | None, bounds: Bounds) -> None:
        self.name = name
        self.threads = CachedThreads(f"calls to {name}")
        self._node = node
        self._directory = directory or Directory()
        self._bounds = bounds
        known = self._directory.get(name)
        self.class_name = class_name or (known.class_name if known else "")
        self._lock = threading.Lock()
        self._caller: ServiceCaller | None = None
        self._connecting = threading.Lock()
        self._route: _Route | None = None
        self._heard = 0.0
        self._leaving: int | None = None
        """The incarnation that a restart is taking down."""
        self._news = threading.Condition()
        self._changes = 0
        self._closed = False
        self._stop_watching = self._directory.watch(name, self._on_change)

    def close(self) -> None:
        """End the calls under way with TargetDiedError, and take no more."""
        self._stop_watching()
        with self._lock:
            self._closed = True
            caller, self._caller = self._caller, None
        if caller is not None:
            caller.close()
        self._notify()
        self.threads.close()

    def call(self, method: str, arguments: str, timeout: float | None = None) -> Answer:
        """Have a method run and return what it comes to. Raises as the text of this file says."""
        bounds = self._bounds
        wait = _Wait(bounds.call_timeout if timeout is None else timeout, bounds.absent_timeout)
        while True:
            changes = self._changes
            route = self._route
            if route is not None and route.incarnation is None and not self._still_leads(route, wait):
                route = self._route = None
            if route is None:
                route = self._find_route(changes, wait)
                if route is None:
                    continue
            if route.server is not None:
                answer = self._call_here(route.server, method, arguments, wait)
            else:
                answer = self._call_there(route, method, arguments, wait)
            if answer.success or not self._is_refused_for_now(answer, changes, wait):
                return answer

    # ------------------------------------------------------------------------------------------- the two ways

    def _call_here(self, server: CallServer, method: str, arguments: str, wait: _Wait) -> Answer:
        try:
            return server.submit(method, arguments).wait(wait.left)
        except TimeoutError:
            raise self._over(method, wait) from None

    def _call_there(self, route: _Route, method: str, arguments: str, wait: _Wait) -> Answer:
        assert route.caller is not None
        request = Call.Request(method=method, arguments=arguments)
        try:
            response: Answer = route.caller.call(request, wait.left, route.check)
        except TimeoutError:
            raise self._over(method, wait) from None
        except ConnectionError as error:
            self._route = None
            raise TargetDiedError(
                f"{self.name}: {method}() was under way when {error}; it may have run, and is not sent again"
            ) from None
        self._heard = time.monotonic()
        return response

    def _still_leads(self, route: _Route, wait: _Wait) -> bool:
        """Whether a way that no coordinator tells of still leads to the instance."""
        if route.server is not None:
            return True  # it is closed before it goes, and that is told
        if route.caller is None or not route.caller.is_there:
            return False
        is_fresh = wait.start - self._heard < CHECK_SECONDS
        return is_fresh or route.process is None or not route.process.has_ended

    def _find_route(self, changes: int, wait: _Wait) -> _Route | None:
        """The way to the instance; None where what is known of it changed meanwhile."""
        known, server = self._look(wait)
        incarnation = known.incarnation if known is not None else None
        route = _Route(self, incarnation, server) if server is not None else self._reach(incarnation, wait)
        with self._news:
            # What came meanwhile may have been about this one.
            self._route = route if self._changes == changes else None
        return route

    def _reach(self, incarnation: int | None, wait: _Wait) -> _Route | None:
        limit = wait.absent_until if incarnation is None else wait.deadline
        if not self._connecting.acquire(timeout=max(limit - time.monotonic(), 0.0)):
            raise self._not_reached(incarnation, wait)
        try:
            return self._connect(incarnation, limit, wait)
        finally:
            self._connecting.release()

    def _connect(self, incarnation: int | None, limit: float, wait: _Wait) -> _Route | None:
        client = self._client()
        pause = FIRST_PAUSE
        while self._is_now(incarnation):
            route = self._route
            if route is not None and route.incarnation == incarnation and route.caller is client:
                return route  # another thread was first
            left = limit - time.monotonic()
            if left <= 0:
                raise self._not_reached(incarnation, wait)
            if client.is_closed:
                raise TargetDiedError(f"{self.name} cannot be called any more: this proxy, or its context, was closed")
            if client.is_there:
                try:
                    answer = client.call(Call.Request(method=IDENTITY), min(PROBE_SECONDS, left))
                except (TimeoutError, ConnectionError):
                    continue
                process = ProcessWatch(from_json(answer.result, "who it is") if answer.success else {})
                if not process.has_ended:
                    self._heard = time.monotonic()
                    return _Route(self, incarnation, None, client, process)
            time.sleep(min(pause, left))
            pause = min(2 * pause, LONGEST_PAUSE)
        return None

    def _client(self) -> ServiceCaller:
        with self._lock:
            if self._closed:
                raise TargetDiedError(f"this proxy of {self.name} was closed")
            if self._caller is None:
                self._caller = ServiceCaller(self._node, Call, f"{self.name}/call")
            return self._caller

    # ------------------------------------------------------------------------------------ what is known of it

    def _look(self, wait: _Wait) -> tuple[Known | None, Any]:
        """What is known of the instance, and its call server where it is in this process, once it can be called.

        None is known of an instance that no coordinator counts: it may be there nevertheless.
        """
        while True:
            if self._closed:
                raise TargetDiedError(f"this proxy of {self.name} was closed")
            changes = self._changes
            known = self._directory.get(self.name)
            if known is None:
                return None, self._directory.server(self.name)
            is_leaving = known.restarting and known.incarnation == self._leaving
            if known.state != UNLOADED and not is_leaving:
                return known, self._directory.server(self.name)
            limit = wait.deadline if known.restarting else wait.absent_until
            if not self._wait_for_news(changes, limit):
                if known.restarting:
                    raise CallTimeoutError(f"{self.name} is still being restarted after {wait.timeout:g} s")
                raise self._absent(known)

    def _is_refused_for_now(self, answer: Answer, changes: int, wait: _Wait) -> bool:
        """Whether the instance refused the call, not being active, and what is known of it changed since.

        What is known may be late: news is waited for where by that the instance should have taken the call.
        """
        if answer.error_type != TargetInactiveError.__name__ or answer.error_traceback:
            return False
        known = self._directory.get(self.name)
        if known is None or not (known.restarting or known.state == ACTIVE or self._changes != changes):
            return False
        if known.restarting and known.incarnation == self._leaving:
            return self._wait_for_news(changes, wait.deadline)
        if wait.refused_by != known.incarnation:
            wait.refused_by = known.incarnation
            wait.refused_until = min(wait.deadline, time.monotonic() + wait.absent_timeout)
        return self._wait_for_news(changes, wait.refused_until)

    def _is_now(self, incarnation: int | None) -> bool:
        known = self._directory.get(self.name)
        return (known.incarnation if known is not None else None) == incarnation

    def _on_change(self, before: Known | None, now: Known | None) -> None:
        if before is not None and now is not None and now.restarting and not before.restarting:
            self._leaving = before.incarnation
        ended = ""
        if before is not None and (now is None or (now.state == UNLOADED != before.state)):
            ended = "it was unloaded, or its process ended" if now is None or not now.restarting else "it was restarted"
        elif before is not None and now is not None and now.incarnation != before.incarnation:
            ended = "it was restarted"
        with self._lock:
            caller = self._caller
        if ended and caller is not None:
            caller.fail(ConnectionError(ended))
        self._notify()

    def _notify(self) -> None:
        with self._news:
            self._changes += 1
            self._route = None
            self._news.notify_all()

    def _wait_for_news(self, changes: int, limit: float) -> bool:
        """Wait until there are other than ``changes``; False at ``limit``."""
        with self._news:
            while self._changes == changes:
                left = limit - time.monotonic()
                if left <= 0:
                    return False
                self._news.wait(left)
        if self._closed:
            raise TargetDiedError(f"this proxy of {self.name} was closed")
        return True

    # ------------------------------------------------------------------------------------------------- errors

    def _over(self, method: str, wait: _Wait) -> CallTimeoutError:
        return CallTimeoutError(f"{self.name}: {method}() gave no answer within {wait.timeout:g} s")

    def _not_reached(self, incarnation: int | None, wait: _Wait) -> CallError:
        if incarnation is None:
            return self._absent(None)
        return CallTimeoutError(f"{self.name} runs, and was not reached within {wait.timeout:g} s")

    def _absent(self, known: Known | None) -> TargetNotFoundError:
        """The error that says which instances there are instead."""
        kind = self.class_name or "module"
        if known is not None:
            return TargetNotFoundError(f"{self.name} ({kind}) is not loaded now{self._others()}")
        return TargetNotFoundError(f"no {kind} runs as {self.name}{self._others()}")

    def _others(self) -> str:
        alike = self._directory.of_class(self.class_name) if self.class_name else {}
        alike.pop(self.name, None)
        if alike:
            return f"; {self.class_name} runs as " + ", ".join(f"{name} ({known})" for name, known in alike.items())
        names = self._directory.names() or self._callable_nodes()
        names = [name for name in names if name != self.name]
        none = f"; no {self.class_name} runs, " if self.class_name and self._directory.is_fed else "; "
        return (
            f"{none}modules that run: {nearest(self.name, names)}" if names else "; no module that can be called runs"
        )

    def _callable_nodes(self) -> list[str]:
        """Nodes that answer calls, as the graph has it."""
        try:
            services = self._node.get_service_names_and_types()
        except Exception:  # the node is being destroyed
            return []
        return [name.removesuffix("/call") for name, types in services if CALL_TYPE in types]
