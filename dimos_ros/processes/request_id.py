"""The id of a request, by which a search finds the request in the logs of all processes that work on it."""

from __future__ import annotations

import contextlib
import contextvars
import os
import re
from collections.abc import Iterator

_current: contextvars.ContextVar[str] = contextvars.ContextVar("request_id", default="")

_ID = re.compile(r"[A-Za-z0-9_.-]{1,40}\Z")


def new_request_id() -> str:
    """Return a random id that is short enough to be read aloud, such as ``3f9a2c``."""
    return os.urandom(3).hex()


def is_request_id(text: str) -> bool:
    """Return whether a text can be an id in a log: 1 to 40 letters, digits, ``_``, ``.`` and ``-``."""
    return bool(_ID.match(text))


def current_request_id() -> str:
    """Return the id of the request that the current thread or asyncio task works for; "" for none."""
    return _current.get()


@contextlib.contextmanager
def request(request_id: str) -> Iterator[str]:
    """Let the current thread or task, and the tasks that it starts, work for this request inside the ``with`` block."""
    token = _current.set(request_id)
    try:
        yield request_id
    finally:
        _current.reset(token)
