"""Learning that rclpy dropped a response.

Where the middleware does not know the client's end for responses yet, rclpy warns (``RuntimeWarning: failed to send
response (timeout)``) and returns as if all were well. A filter that makes an error of that warning, in this module
alone, is the only way to hear of it.
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
"""Whether this rclpy warns of a response that it drops: its library has the text. Looked up once, before forks."""

_installing = threading.Lock()
_filter: Any = None


def is_sent(service: Any, response: Any, request_id: Any) -> bool:
    """Send a response. False where the client's end for responses is not known yet. Raises as rclpy does.

    ``service`` is the handle of a service, ``request_id`` of the request's header.
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
        # Compiled code returns as if the warning, an error by now, were none; the interpreter complains about that.
        if isinstance(error.__cause__, RuntimeWarning):
            return False
        raise
    return True


def _install_filter() -> None:
    """Put this module's filter before all others. A program may have put some before it, or removed all."""
    global _filter
    with _installing:
        warnings.filterwarnings("error", TEXT, RuntimeWarning, __name__)
        _filter = warnings.filters[0]


class _Warning:
    """A service that can send nothing."""

    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None: ...

    def service_send_response(self, _: object, __: object) -> None:
        warnings.warn(f"{TEXT} (timeout): probe", RuntimeWarning, stacklevel=2)


def _probe(context: Context) -> str:
    if not DROPS_RESPONSES:
        raise NotNeededError(f"this rclpy does not warn {TEXT!r}: what it cannot send, it raises")
    for disturb in (warnings.resetwarnings, lambda: warnings.simplefilter("ignore")):
        with warnings.catch_warnings():
            disturb()
            if is_sent(_Warning(), None, None):
                raise RuntimeError("a warning about a response passed unnoticed")
    return "its library has the warning, and a warning is noticed whatever filters a program sets"


INTERNAL = Internal(
    name="responses that were dropped",
    purpose="a response is sent again until its client is discovered whole; else the client would wait for ever",
    touches="the text of a warning of service_send_response; a filter for it that is put back if it is gone",
    upstream="ros2/rclpy#1720, ros2/rclpy#1181, ros2/rclpy#1136",
    versions="those whose library has the text; 7.1 and 9.1 do",
    fallback="the response is sent once, and what rclpy raises is logged",
    probe=_probe,
)
