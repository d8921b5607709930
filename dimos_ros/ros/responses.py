"""Responses of services to clients that the middleware does not know whole yet.

A client is discovered in parts: the end that sends requests, and the one that takes responses. On a busy machine the
second may be known later than the first request comes. The middleware waits 0.1 s for it, and then rclpy drops the
response with a warning: the client would wait for ever.
"""

from __future__ import annotations

import threading
import time
from typing import Any

from rclpy.exceptions import InvalidHandle
from rclpy.logging import get_logger

from dimos_ros.ros.internals import RclError, is_sent

SECONDS = 5.0
"""How long to try: an announcement that was lost is sent again every 3 s."""
PAUSE = 0.05
"""Seconds before the second try; twice as long before each later one. A try that fails holds the interpreter lock for
0.1 s."""


def send(service: Any, response: Any, request_id: Any) -> None:
    """Send a response, as soon as its client is known whole. Raises TimeoutError after :data:`SECONDS`, else as
    rclpy does.

    ``service`` is the handle of rclpy's service, ``request_id`` of the request's header.
    """
    deadline, pause = time.monotonic() + SECONDS, PAUSE
    while not is_sent(service, response, request_id):
        if time.monotonic() + pause > deadline:
            raise TimeoutError(f"the client could not be reached for {SECONDS:g} s")
        time.sleep(pause)
        pause *= 2


def send_from_executor(service: Any, response: Any, request_id: Any) -> None:
    """As :func:`send`, but all that takes time is done in another thread, which logs its errors."""

    def go_on() -> None:
        try:
            send(service, response, request_id)
        except InvalidHandle:
            pass  # the service was destroyed meanwhile
        except (TimeoutError, RclError) as error:
            get_logger(name.strip("/").replace("/", ".")).warning(f"a response was not sent: {error}")

    if not is_sent(service, response, request_id):
        name = str(service.name)
        threading.Thread(target=go_on, name=f"response of {name}", daemon=True).start()
