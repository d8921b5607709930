"""The main function of every forked child, its name in process lists, and its end."""

from __future__ import annotations

import contextlib
import importlib
import os
import signal
import socket
import sys
import traceback
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from dimos_ros.processes.channel import ChildEnd, send_last_words

SHOWN = 15
"""The number of characters that the kernel keeps of a process's name."""


def main(target: str, connection: socket.socket, arguments: Mapping[str, Any]) -> NoReturn:
    """Run ``package.module:function(connection, **arguments)``, then end the process with the result as exit code.

    If the function raises, the error is printed, and the parent gets it as the reason why the child ended.
    """
    code = 1
    try:
        module, _, name = target.partition(":")
        function: Callable[..., int | None] = getattr(importlib.import_module(module), name)
        code = function(connection, **arguments) or 0
    except BaseException as error:
        traceback.print_exc()
        send_last_words(connection, error)
    finally:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
        # Hanging threads and the exit handlers of user code must not keep the process alive.
        os._exit(code)


def serve(channel: ChildEnd, close: Callable[[], None]) -> int:
    """Serve a channel until it is closed or the parent has ended, call ``close()``, and return the exit code 0.

    SIGTERM closes the channel. SIGINT is ignored: a terminal sends it to the whole process group, and the parent
    ends its children in order.
    """
    signal.signal(signal.SIGTERM, lambda *_: channel.close())
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        channel.serve()
    finally:
        close()
    return 0


def name_process(name: str) -> None:
    """Set the name that process lists show for this process."""
    with contextlib.suppress(OSError):
        file = os.open("/proc/self/comm", os.O_WRONLY)
        try:
            os.write(file, name.encode()[:SHOWN])
        finally:
            os.close(file)
