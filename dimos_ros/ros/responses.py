"""Sending responses of services to clients that the middleware has not discovered completely.

A client has two endpoints, one that sends requests and one that takes responses. On a busy machine the second may be
discovered only after the first request has come. The middleware waits 0.1 s for it. Then rclpy drops the response with
a warning, and the client would wait for ever.
"""

from __future__ import annotations

import threading
import time
from typing import Any

from rclpy.exceptions import InvalidHandle
from rclpy.logging import get_logger

from dimos_ros.ros.internals import RclError, is_sent

SECONDS = 5.0
"""Seconds to go on trying, because the middleware repeats a lost announcement of a client every 3 s."""
PAUSE = 0.05
"""Seconds before the second try; doubled before each later one, because a failed try holds the interpreter lock for
0.1 s."""


def send(service: Any, response: Any, request_id: Any) -> None:
    """Send a response as soon as both endpoints of its client are discovered.

    ``service`` is the handle of rclpy's service; ``request_id`` comes from the request's header. Raises TimeoutError
    after :data:`SECONDS`, and any error that rclpy raises while it sends.
    """
    deadline, pause = time.monotonic() + SECONDS, PAUSE
    while not is_sent(service, response, request_id):
        if time.monotonic() + pause > deadline:
            raise TimeoutError(f"the client could not be reached for {SECONDS:g} s")
        time.sleep(pause)
        pause *= 2


def send_from_executor(service: Any, response: Any, request_id: Any) -> None:
    """Send a response like :func:`send`, without blocking: a thread repeats a failed first try and logs its errors."""

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
