"""The guard for processes that a node's code forks from a container.

A forked process has only the thread that forked, and shares sockets and shared memory with the container. It may run
the code that it was forked for. It must not destroy the container's endpoints, nor go on as a second container.
"""

from __future__ import annotations

import contextlib
import os
import sys
from typing import Any

from dimos_ros.ros.internals import keep_handles


def leave_fork(process: int, error: BaseException | None = None) -> None:
    """End this process unless it is ``process``: then it is a fork that returned from a node's code.

    ``error`` is the error that the node's code raised, if any. ``SystemExit`` gives the exit code.
    """
    if os.getpid() == process:
        return
    code: Any = 0
    if isinstance(error, SystemExit):
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
    elif error is not None:
        code = 1
        sys.excepthook(type(error), error, error.__traceback__)
    _flush()
    os._exit(code)


class ForkGuard:
    """The guard of one container process: while it is active, a fork of the process destroys no rclpy handle."""

    def __init__(self) -> None:
        self._process = os.getpid()
        self.active = True
        os.register_at_fork(before=self._before, after_in_child=self._in_child)

    def _before(self) -> None:
        if self.active:
            _flush()  # otherwise both processes would write the buffered output

    def _in_child(self) -> None:
        if self.active and os.getppid() == self._process:
            keep_handles()


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, RuntimeError):
            stream.flush()
