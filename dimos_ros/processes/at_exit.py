"""Closing objects in which threads wait, before the interpreter ends.

A daemon thread may return from a wait in rcl while the interpreter ends. Python then unwinds the thread through
C++ code that does not allow it, and the process aborts. Closing these objects ends the waits before that.
"""

from __future__ import annotations

import atexit
import weakref
from collections.abc import Callable
from typing import Protocol


class Closable(Protocol):
    def close(self) -> None: ...


def close_at_exit(owner: Closable) -> Callable[[], None]:
    """Call ``owner.close()`` when the interpreter ends, if ``owner`` still exists then.

    Return a function that cancels this.
    """

    def close() -> None:
        present = reference()
        if present is not None:
            present.close()

    def forget(_: object = None) -> None:
        atexit.unregister(close)

    reference = weakref.ref(owner, forget)
    atexit.register(close)
    return forget
