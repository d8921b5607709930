"""Closing at the interpreter's end what threads wait in.

A daemon thread that comes back from a wait in rcl once the interpreter ends is unwound through C++ code that
cannot be, and the process aborts. So those waits are ended first.
"""

from __future__ import annotations

import atexit
import weakref
from collections.abc import Callable
from typing import Protocol


class Closable(Protocol):
    def close(self) -> None: ...


def close_at_exit(owner: Closable) -> Callable[[], None]:
    """Call ``owner.close()`` when the interpreter ends, if it still exists then; returns what takes that back."""

    def close() -> None:
        present = reference()
        if present is not None:
            present.close()

    def forget(_: object = None) -> None:
        atexit.unregister(close)

    reference = weakref.ref(owner, forget)
    atexit.register(close)
    return forget
