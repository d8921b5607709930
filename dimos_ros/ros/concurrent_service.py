"""A ROS service whose callback may block: it runs in threads of its own, beside the executor.

rclpy's executors either serve one callback at a time or pay several times as much for a call
(MultiThreadedExecutor). Here one thread at a time waits on the service; before it runs the callback it
lets another one wait. A request is therefore answered in the thread that received it, with no hand-over
on its way, and a callback that sleeps delays nobody.
"""

from __future__ import annotations

import contextlib
import threading
import traceback
from collections.abc import Callable
from typing import Any

from rclpy.exceptions import InvalidHandle
from rclpy.qos import QoSProfile

from dimos_ros.processes.at_exit import close_at_exit
from dimos_ros.processes.threads import CachedThreads
from dimos_ros.ros.internals import RclError, ServiceHandle
from dimos_ros.ros.responses import send

SERVICE_QOS = QoSProfile(depth=200)
"""Services keep the last 200 requests, so that a burst from many clients is not dropped."""

RETRY_SECONDS = 0.1
"""Pause after the middleware failed to wait, so that a lasting failure does not use up a core."""


class ConcurrentService:
    """Serve ``name`` below ``node`` (``~`` and remap rules as for any service).

    ``callback(request)`` returns the response. One that raises is logged; its client gets what
    ``on_error(error)`` makes of it, or an empty response. ``threads`` are where it runs, those of its own
    by default. It serves until :meth:`close` or until the node's context is shut down; close it before the
    node is destroyed.
    """

    def __init__(
        self,
        node: Any,
        srv_type: Any,
        name: str,
        callback: Callable[[Any], Any],
        on_error: Callable[[BaseException], Any] | None = None,
        threads: CachedThreads | None = None,
    ) -> None:
        self._response_type = srv_type.Response
        self._callback = callback
        self._on_error = on_error or (lambda error: srv_type.Response())
        self._logger = node.get_logger()
        self._threads = threads or CachedThreads(f"service {name}")
        self._owns_threads = threads is None
        self._service = ServiceHandle(node, srv_type, name, SERVICE_QOS)
        self.name = self._service.name
        """The full service name."""
        self._closing = False
        self._left = threading.Event()
        node.context.on_shutdown(self._stop)
        self._forget_exit = close_at_exit(self)
        self._threads.submit(self._serve)

    def close(self, timeout: float = 1.0) -> None:
        """Take no more requests. Callbacks that run go on; their answers are dropped."""
        self._forget_exit()
        self._stop()
        if self._left.wait(timeout):  # else a thread still waits on it
            self._service.release()
        if self._owns_threads:
            self._threads.close()

    def _stop(self) -> None:
        self._closing = True
        with contextlib.suppress(InvalidHandle):  # closed before
            self._service.wake()

    def _serve(self) -> None:
        received = self._receive()
        if received is None:
            self._left.set()
            return
        self._threads.submit(self._serve)
        request, header = received
        try:
            response = self._callback(request)
            if not isinstance(response, self._response_type):
                # rclpy would read it as if it were one.
                raise TypeError(f"the answer is a {type(response).__name__}, not a {self._response_type.__name__}")
        except BaseException as error:  # sys.exit() too: the client is owed an answer
            self._logger.error(f"{self.name}: {traceback.format_exc()}")
            response = self._on_error(error)
        try:
            send(self._service.entity, response, header.request_id)
        except InvalidHandle:
            pass  # closed meanwhile: there is nobody left to answer for
        except Exception as error:
            self._logger.warning(f"{self.name}: the answer was not sent: {error}")

    def _receive(self) -> tuple[Any, Any] | None:
        """The next request and its header; None once closed."""
        while not self._closing:
            received = self._receive_one()
            if received is not None:
                return received
        return None

    def _receive_one(self) -> tuple[Any, Any] | None:
        """Wait until something comes: a request, None where it was something else."""
        try:
            is_ready = self._service.wait()
        except RclError as error:
            if not self._closing:
                self._logger.warning(f"{self.name}: waiting for requests failed: {error}")
                self._left.wait(RETRY_SECONDS)
            return None
        if self._closing or not is_ready:
            return None
        try:
            request, header = self._service.take()
        except Exception as error:  # such as text that is not UTF-8
            self._logger.warning(f"{self.name}: a request was dropped: {error}")
            return None
        return None if header is None else (request, header)
