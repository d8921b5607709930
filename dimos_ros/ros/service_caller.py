"""A ROS service client whose calls can block any thread, also inside callbacks.

rclpy's ``Client.call`` waits until an executor delivers the answer. It deadlocks if the executor's own thread calls.
Here the calling thread itself waits on the client. If several threads call at once, one of them receives the answers
of all and hands them out.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from rclpy.exceptions import InvalidHandle

from dimos_ros.processes.at_exit import close_at_exit
from dimos_ros.ros.concurrent_service import SERVICE_QOS
from dimos_ros.ros.internals import ClientHandle, RclError

CHECK_SECONDS = 0.5
"""Seconds between two checks of a running call that its server is still there."""


class _Pending:
    """A request that waits for its answer: the answer or error, and a lock that wakes its thread."""

    __slots__ = ("done", "error", "response", "wake")

    def __init__(self) -> None:
        self.response: Any = None
        self.error: Exception | None = None
        self.done = False
        self.wake: threading.Lock | None = None
        """A lock that is held while the thread waits; a release wakes the thread. ``ServiceCaller._lock`` guards it."""

    def wake_up(self) -> None:
        if self.wake is not None and self.wake.locked():
            self.wake.release()


class ServiceCaller:
    """A client of one service, used by ``node``. ``name`` is resolved as for any client.

    Close it before the node is destroyed.
    """

    def __init__(self, node: Any, srv_type: Any, name: str) -> None:
        self._node = node
        self._client = ClientHandle(node, srv_type, name, SERVICE_QOS)
        self.name = self._client.name
        """The full service name."""
        self._lock = threading.Lock()
        self._receiving = threading.Lock()
        self._pending: dict[int, _Pending] = {}
        self._closed: Exception | None = None
        self._released = False
        node.context.on_shutdown(self._shut_down)
        self._forget_exit = close_at_exit(self)

    @property
    def is_closed(self) -> bool:
        """Whether calls are refused because of :meth:`close` or because the context was shut down."""
        return self._closed is not None

    @property
    def is_ready(self) -> bool:
        """Whether the graph has a server now. The graph keeps a server that was killed for up to 20 s."""
        with self._lock:
            try:
                return self._closed is None and self._client.has_server()
            except RclError:
                return False

    @property
    def is_there(self) -> bool:
        """Whether the graph shows any part of a server.

        This is weaker than :attr:`is_ready`. While the graph has removed only a part of a server that was killed,
        ``is_ready`` is false, although a new server in its place may answer already.
        """
        if self.is_ready:
            return True
        with self._lock:
            try:
                return self._closed is None and self._node.count_services(self.name) > 0
            except (RclError, InvalidHandle):
                return False

    def wait_for_service(self, timeout: float, keep_waiting: Callable[[], bool] | None = None) -> bool:
        """Wait until a server is matched, ``timeout`` seconds at most. Return whether there is one.

        The graph has no event that a thread could wait for without an executor. So this method checks again after 1,
        2, 4, … 20 ms. The wait ends early when ``keep_waiting()`` returns false.
        """
        deadline = time.monotonic() + timeout
        pause = 0.001
        while not self.is_ready:
            left = deadline - time.monotonic()
            if left <= 0 or self._closed is not None or (keep_waiting is not None and not keep_waiting()):
                return False
            time.sleep(min(pause, left))
            pause = min(pause * 2, 0.02)
        return True

    def call(self, request: Any, timeout: float, check: Callable[[], None] | None = None) -> Any:
        """Send ``request`` and return the response.

        ``check()`` is called about twice a second; an error that it raises ends the call. Raises TimeoutError after
        ``timeout`` seconds, ConnectionError about a second after the server left the graph, and the error that
        :meth:`fail` is given.
        """
        now = time.monotonic()
        deadline, look_again = now + timeout, now + CHECK_SECONDS
        pending = _Pending()
        sequence = self._send(request, pending)
        try:
            while not pending.done:
                now = time.monotonic()
                if now >= deadline:
                    raise TimeoutError(f"no answer within {timeout:g} s")
                if now >= look_again:
                    if not self.is_there:
                        raise self._closed or ConnectionError("the server left the graph")
                    if check is not None:
                        check()
                    look_again = now + CHECK_SECONDS
                if self._receiving.acquire(blocking=False):
                    try:
                        self._receive_until(pending, min(deadline, look_again))
                    finally:
                        self._receiving.release()
                else:
                    self._wait_for_another(pending, min(deadline, look_again) - now)
        finally:
            with self._lock:
                del self._pending[sequence]
                if self._pending:
                    successor = next((p for p in self._pending.values() if not p.done), None)
                    if successor is not None:
                        successor.wake_up()
        if pending.error is not None:
            raise pending.error
        return pending.response

    def fail(self, error: Exception) -> None:
        """End every running call with ``error``."""
        with self._lock:
            waiting = [p for p in self._pending.values() if not p.done]
            for pending in waiting:
                pending.error, pending.done = error, True
                pending.wake_up()
            if waiting:
                self._client.wake()

    def close(self) -> None:
        """End every running call with ConnectionError and destroy the client."""
        self._forget_exit()
        with self._lock:
            if self._released:
                return
            self._released = True
            self._closed = self._closed or ConnectionError("the client was closed")
        self.fail(self._closed)
        # A thread that receives leaves its wait now. The client must not be destroyed before it has left.
        if self._receiving.acquire(timeout=CHECK_SECONDS):
            self._client.release()

    def _shut_down(self) -> None:
        self._closed = self._closed or ConnectionError("the ROS context was shut down")
        self.fail(self._closed)

    def _send(self, request: Any, pending: _Pending) -> int:
        # The answer may come before this method returns. The lock delays its delivery until the request is noted.
        with self._lock:
            if self._closed is not None:
                raise self._closed
            sequence = self._client.send(request)
            self._pending[sequence] = pending
        return sequence

    def _wait_for_another(self, own: _Pending, seconds: float) -> None:
        """Wait while another thread receives, until that thread has this call's answer or stops receiving."""
        with self._lock:
            if own.wake is None:
                own.wake = threading.Lock()
                own.wake.acquire()
            if own.done or not self._receiving.locked():
                return
        own.wake.acquire(timeout=max(seconds, 0.0))

    def _receive_until(self, own: _Pending, deadline: float) -> None:
        """Receive the answers of all calls until ``own`` is done or ``deadline`` has passed."""
        client = self._client
        try:
            while not own.done:
                left = deadline - time.monotonic()
                if left <= 0:
                    return
                if client.wait(int(left * 1e9) + 1):
                    self._take()
        except RclError as error:
            raise self._closed or ConnectionError(f"waiting for the answer failed: {error}") from None

    def _take(self) -> None:
        try:
            sequence, response = self._client.take()
        except RclError:
            raise
        except Exception as error:  # for example, text that is not UTF-8; its sequence number is lost with it
            self._node.get_logger().warning(f"{self.name}: an answer was dropped: {error}")
            return
        if sequence is None:
            return
        with self._lock:
            pending = self._pending.get(sequence)
            if pending is not None and not pending.done:
                pending.response, pending.done = response, True
                pending.wake_up()
