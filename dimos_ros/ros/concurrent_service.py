"""A ROS service whose callback may block, because it runs in its own threads instead of an executor's.

rclpy's executors either run one callback at a time, or cost several times as much per call
(MultiThreadedExecutor). Here one thread at a time waits on the service. Before it runs the callback, it starts another
thread that waits. So the thread that received a request also answers it, without a hand-over, and a callback that
sleeps delays no other request.
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
"""Seconds to pause after the middleware failed to wait, so that a lasting failure does not use up a core."""


class ConcurrentService:
    """A service of ``node``. ``name`` may have a ``~`` and is remapped, as for any service.

    ``callback(request)`` returns the response. If it raises, the error is logged and the client gets
    ``on_error(error)``, by default an empty response. The callback runs in ``threads``; by default the service makes
    its own. It serves until :meth:`close`, or until the node's context is shut down. Close it before the node is
    destroyed.
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
        """Stop taking requests. A callback that runs finishes, but its answer is dropped."""
        self._forget_exit()
        self._stop()
        if self._left.wait(timeout):  # otherwise a thread still waits on the service
            self._service.release()
        if self._owns_threads:
            self._threads.close()

    def _stop(self) -> None:
        self._closing = True
        with contextlib.suppress(InvalidHandle):  # the service was closed before
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
                # rclpy does not check the type: it would read any object as if it were a response.
                raise TypeError(f"the answer is a {type(response).__name__}, not a {self._response_type.__name__}")
        except BaseException as error:  # after sys.exit() too: the client waits for an answer
            self._logger.error(f"{self.name}: {traceback.format_exc()}")
            response = self._on_error(error)
        try:
            send(self._service.entity, response, header.request_id)
        except InvalidHandle:
            pass  # the service was closed meanwhile, so its clients have stopped waiting
        except Exception as error:
            self._logger.warning(f"{self.name}: the answer was not sent: {error}")

    def _receive(self) -> tuple[Any, Any] | None:
        """Wait for the next request. Return it and its header; None once the service is closed."""
        while not self._closing:
            received = self._receive_one()
            if received is not None:
                return received
        return None

    def _receive_one(self) -> tuple[Any, Any] | None:
        """Wait once. Return a request and its header; None if the wait ended without a request."""
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
        except Exception as error:  # for example, text that is not UTF-8
            self._logger.warning(f"{self.name}: a request was dropped: {error}")
            return None
        return None if header is None else (request, header)
