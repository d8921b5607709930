"""The target of calls: one instance, reached inside this process or through its ``~/call`` service.

Every wait ends, with the answer or with an error that tells the state of the instance:

* The instance does not exist, or was unloaded: TargetNotFoundError within ``absent_timeout``.
* Its process ends during the call, or the instance is unloaded or restarted: TargetDiedError. It comes at once if a
  coordinator reports the change. Without one it comes within a second if both are on one machine, or if the instance
  left the graph properly. The request is not sent again, since the instance may have acted on it.
* The instance is being restarted: a call that was not sent yet waits for the new incarnation until its deadline. If
  the new incarnation refuses it because it is not active yet, the call waits ``absent_timeout`` for that.
* The instance is not active: TargetInactiveError. The deadline has passed: CallTimeoutError.

Before its first call to an incarnation a process asks for its identity, and repeats the request until a reply comes.
DDS loses messages that are sent before both sides have discovered each other. And the graph may still show a killed
process, or a part of it, which proves nothing about its successor.

A call inside one process also converts its arguments and its result to JSON and back, four conversions in all. That
is on purpose: caller and module share no object, and the same rules hold on both ways. It costs 0.03 ms for small
values.
"""

from __future__ import annotations

import threading
import time
from typing import Any, Protocol

from dimos_interfaces.srv import Call
from rclpy.node import Node

from dimos_ros.calls.conversion import from_json
from dimos_ros.calls.directory import ACTIVE, UNLOADED, Directory, Known
from dimos_ros.calls.server import CallServer
from dimos_ros.calls.wire import CALL_TYPE, IDENTITY, SERVICE, Answer
from dimos_ros.exceptions import (
    CallError,
    CallTimeoutError,
    TargetDiedError,
    TargetInactiveError,
    TargetNotFoundError,
)
from dimos_ros.naming.wording import listed
from dimos_ros.processes.process_identity import ProcessWatch
from dimos_ros.processes.threads import CachedThreads
from dimos_ros.ros.service_caller import CHECK_SECONDS, ServiceCaller

FIRST_PAUSE, LONGEST_PAUSE = 0.001, 0.02
"""Seconds between two checks whether the graph shows an instance; each pause is twice the one before."""

PROBE_SECONDS = 0.05
"""Seconds to wait for the identity reply before sending the identity request again."""


class Bounds(Protocol):
    """The bounds of calls in seconds, read at each call: a Module's own parameters, or :class:`FixedBounds`."""

    @property
    def call_timeout(self) -> float: ...

    @property
    def absent_timeout(self) -> float: ...


class FixedBounds:
    """Bounds in seconds that do not change."""

    def __init__(self, call_timeout: float = 10.0, absent_timeout: float = 1.0) -> None:
        self.call_timeout = call_timeout
        self.absent_timeout = absent_timeout


class _Wait:
    """The deadlines of one call, by the monotonic clock."""

    __slots__ = ("absent_timeout", "deadline", "refused_by", "refused_until", "start", "timeout")

    def __init__(self, timeout: float, absent_timeout: float) -> None:
        self.start = time.monotonic()
        self.timeout, self.absent_timeout = timeout, absent_timeout
        self.deadline = self.start + timeout
        self.refused_by: int | None = None
        """The incarnation that refused the call because it was not active."""
        self.refused_until = 0.0
        """The time until which that incarnation may become active."""

    @property
    def left(self) -> float:
        return max(self.deadline - time.monotonic(), 0.0)

    @property
    def absent_until(self) -> float:
        # Leave a moment for the error's list of other instances, so that the error is raised within the bound.
        return min(self.deadline, self.start + 0.95 * self.absent_timeout)


class _Route:
    """The way to one incarnation: its call server in this process, or a client that got its reply."""

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
        """None if no coordinator counts incarnations."""
        self.server = server
        self.caller = caller
        self.process = process

    def check(self) -> None:
        """Raise ConnectionError if nothing is left that could answer a call under way."""
        if self.process is not None and self.process.has_ended:
            raise ConnectionError("its process ended")
        if not self.target._is_now(self.incarnation):
            raise ConnectionError("it was unloaded or restarted")


class Target:
    """The instance with the full node name ``name``, called by ``node``. Close the target before the node."""

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
        """End the calls under way with TargetDiedError and refuse new ones."""
        self._stop_watching()
        with self._lock:
            self._closed = True
            caller, self._caller = self._caller, None
        if caller is not None:
            caller.close()
        self._notify()
        self.threads.close()

    def call(self, method: str, arguments: str, timeout: float | None = None) -> Answer:
        """Call a method with ``arguments`` as JSON and return the answer. Raises the errors listed at the top."""
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
            response = route.caller.call(request, wait.left, route.check)
        except TimeoutError:
            raise self._over(method, wait) from None
        except ConnectionError as error:
            self._route = None
            raise TargetDiedError(
                f"{self.name}: {method}() was under way when {error}; it may have run, so it is not sent again"
            ) from None
        self._heard = time.monotonic()
        return Answer.of_response(response)

    def _still_leads(self, route: _Route, wait: _Wait) -> bool:
        """Return whether a route still leads to the instance, if no coordinator reports its changes."""
        if route.server is not None:
            return True  # the directory reports when a call server of this process closes
        if route.caller is None or not route.caller.is_there:
            return False
        is_fresh = wait.start - self._heard < CHECK_SECONDS
        return is_fresh or route.process is None or not route.process.has_ended

    def _find_route(self, changes: int, wait: _Wait) -> _Route | None:
        """Return the route to the instance; None if the directory's entry changed meanwhile."""
        known, server = self._look(wait)
        incarnation = known.incarnation if known is not None else None
        route = _Route(self, incarnation, server) if server is not None else self._reach(incarnation, wait)
        with self._news:
            # A change in the meantime may have ended this incarnation: do not keep the route then.
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
                return route  # another thread has found it first
            left = limit - time.monotonic()
            if left <= 0:
                raise self._not_reached(incarnation, wait)
            if client.is_closed:
                raise TargetDiedError(
                    f"{self.name} cannot be called any more: this proxy or its ROS context was closed"
                )
            if client.is_there:
                try:
                    answer = client.call(Call.Request(method=IDENTITY), min(PROBE_SECONDS, left))
                except (TimeoutError, ConnectionError):
                    continue
                process = ProcessWatch(from_json(answer.result, "the identity") if answer.success else {})
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
                self._caller = ServiceCaller(self._node, Call, f"{self.name}/{SERVICE}")
            return self._caller

    # -------------------------------------------------------------------------------------- the directory's entry

    def _look(self, wait: _Wait) -> tuple[Known | None, Any]:
        """Wait until the instance can be called; return its entry, and its call server if it is in this process.

        The entry is None if no coordinator has reported the instance, which may exist nevertheless.
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
        """Return whether to send the call again: the inactive instance refused it, and its entry has changed since.

        The directory can lag behind. If it says the instance is active, wait for its next update before treating the
        refusal as final.
        """
        if answer.refusal is not TargetInactiveError:
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
        """Wait until the count of changes is no longer ``changes``; return False if ``limit`` comes first."""
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
        return CallTimeoutError(f"{self.name}: {method}() did not answer within {wait.timeout:g} s")

    def _not_reached(self, incarnation: int | None, wait: _Wait) -> CallError:
        if incarnation is None:
            return self._absent(None)
        return CallTimeoutError(f"{self.name} runs, but was not reached within {wait.timeout:g} s")

    def _absent(self, known: Known | None) -> TargetNotFoundError:
        """Return the error that lists the instances that run instead."""
        kind = self.class_name or "module"
        if known is not None:
            return TargetNotFoundError(f"{self.name} ({kind}) is not loaded now{self._others()}")
        return TargetNotFoundError(f"no {kind} runs as {self.name}{self._others()}")

    def _others(self) -> str:
        alike = self._directory.of_class(self.class_name) if self.class_name else {}
        alike.pop(self.name, None)
        if alike:
            return f"; {self.class_name} runs as {listed(f'{name} ({known})' for name, known in alike.items())}"
        names = self._directory.names() or self._callable_nodes()
        names = [name for name in names if name != self.name]
        none = f"; no {self.class_name} runs, " if self.class_name and self._directory.is_fed else "; "
        return (
            f"{none}modules that run: {listed(names, like=self.name)}"
            if names
            else "; no module runs that can be called"
        )

    def _callable_nodes(self) -> list[str]:
        """Return the full names of the nodes that serve calls, according to the graph."""
        try:
            services = self._node.get_service_names_and_types()
        except Exception:  # the node is being destroyed
            return []
        return [name.removesuffix(f"/{SERVICE}") for name, types in services if CALL_TYPE in types]
