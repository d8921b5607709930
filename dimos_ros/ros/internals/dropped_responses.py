"""Detection of responses that rclpy dropped.

If the middleware has not discovered the client's endpoint for responses, rclpy warns (``RuntimeWarning: failed to send
response (timeout)``) and returns normally. The only way to notice that is a warning filter, which turns this warning
into an error for this Python module alone.
"""

from __future__ import annotations

import mmap
import threading
import warnings
from pathlib import Path
from typing import Any

from rclpy.context import Context
from rclpy.impl.implementation_singleton import rclpy_implementation as _rclpy

from dimos_ros.ros.internals.internal import Internal, NotNeededError

TEXT = "failed to send response"


def _warns() -> bool:
    path = _rclpy.__file__
    if path is None:
        return False
    with Path(path).open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as text:
        return text.find(f"{TEXT} (timeout)".encode()) >= 0


DROPS_RESPONSES = _warns()
"""Whether this rclpy warns when it drops a response: its library has the text. Looked up once, before any fork."""

_installing = threading.Lock()
_filter: Any = None


def is_sent(service: Any, response: Any, request_id: Any) -> bool:
    """Send a response. Return False if the client's endpoint for responses is not discovered yet.

    ``service`` is the handle of a service; ``request_id`` comes from the request's header. Raises any other error of
    rclpy.
    """
    if DROPS_RESPONSES:
        filters = warnings.filters
        if not filters or filters[0] is not _filter:
            _install_filter()
    try:
        with service:
            service.service_send_response(response, request_id)
    except RuntimeWarning:
        return False
    except SystemError as error:
        # The filter made the warning an error, but compiled code returned normally. The interpreter reports that as
        # a SystemError.
        if isinstance(error.__cause__, RuntimeWarning):
            return False
        raise
    return True


def _install_filter() -> None:
    """Put the filter before all others, because a program may have put its own before it or removed all filters."""
    global _filter
    with _installing:
        warnings.filterwarnings("error", TEXT, RuntimeWarning, __name__)
        _filter = warnings.filters[0]


class _Warning:
    """A stand-in for a service that drops each response with rclpy's warning."""

    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None: ...

    def service_send_response(self, _: object, __: object) -> None:
        warnings.warn(f"{TEXT} (timeout): probe", RuntimeWarning, stacklevel=2)


def _probe(context: Context) -> str:
    if not DROPS_RESPONSES:
        raise NotNeededError(f"this rclpy does not warn {TEXT!r}: it raises an error instead")
    for disturb in (warnings.resetwarnings, lambda: warnings.simplefilter("ignore")):
        with warnings.catch_warnings():
            disturb()
            if is_sent(_Warning(), None, None):
                raise RuntimeError("a warning about a dropped response was not noticed")
    return "rclpy's library has the warning, and it is noticed with any warning filters that a program sets"


INTERNAL = Internal(
    name="responses that were dropped",
    purpose="a response is sent again until its client is fully discovered; otherwise the client would wait for ever",
    touches="the text of a warning of service_send_response, and a warning filter that is restored if it is removed",
    upstream="ros2/rclpy#1720, ros2/rclpy#1181, ros2/rclpy#1136",
    versions="all whose library has the text, such as 7.1 and 9.1",
    fallback="the response is sent once, and an error that rclpy raises is logged",
    probe=_probe,
)
