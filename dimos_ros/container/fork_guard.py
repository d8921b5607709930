"""What happens in a process that a node's code forked off a container.

Such a process has the forking thread alone, and shares sockets and shared memory with the container. It may
run what it was forked for; what it must not do is to destroy what is not its own, or to go on as a container.
"""

from __future__ import annotations

import contextlib
import os
import sys
from typing import Any

from dimos_ros.ros.internals import keep_handles


def leave_fork(process: int, error: BaseException | None = None) -> None:
    """End this process if it is not ``process`` but a fork that came back from a node's code.

    ``error`` is what it came back with: ``SystemExit`` has the exit code.
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
    """While it is there, forks of this process destroy nothing that is the container's."""

    def __init__(self) -> None:
        self._process = os.getpid()
        self.active = True
        os.register_at_fork(before=self._before, after_in_child=self._in_child)

    def _before(self) -> None:
        if self.active:
            _flush()  # else what is buffered is written by both

    def _in_child(self) -> None:
        if self.active and os.getppid() == self._process:
            keep_handles()


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, RuntimeError):
            stream.flush()
