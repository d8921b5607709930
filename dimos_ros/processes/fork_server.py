"""The fork server: a parent with everything imported, whose forks become containers.

It has one thread, no ROS context, and runs no user code. It reads requests from the socket it was
started with, and says on it which children it has and which have ended. When the other end of the
socket is gone, so is its reason to be: it ends its children and itself.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import json
import os
import selectors
import signal
import socket
import sys
import time
from collections.abc import Callable
from typing import Any

MAX_MESSAGE = 1 << 20
GRACE_SECONDS = 5.0
"""How long children may take to end by themselves after the fork server was left alone."""

_PR_SET_PDEATHSIG = 1
_PR_SET_NAME = 15


def main(descriptor: int) -> None:
    """Serve until the other end of the socket ``descriptor`` is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    # Looking for garbage takes a sixth of the imports' time, and hardly finds any.
    gc.disable()
    from dimos_ros.processes.preload import preload, warm_logging

    preload()
    # What is there now is never collected, so that its pages stay shared with the children.
    gc.freeze()
    gc.enable()
    with socket.socket(fileno=descriptor) as connection:
        _Server(connection, [warm_logging]).serve()


class _Server:
    def __init__(self, connection: socket.socket, later: list[Callable[[], None]]) -> None:
        self._connection = connection
        self._children: set[int] = set()
        self._later = later
        self._libc = ctypes.CDLL(None)
        self._wake_read, self._wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def serve(self) -> None:
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        selector = selectors.DefaultSelector()
        selector.register(self._connection, selectors.EVENT_READ)
        selector.register(self._wake_read, selectors.EVENT_READ)
        while True:
            # Nobody is to wait for what is of use to later children alone.
            ready = selector.select(0.0 if self._children and self._later else None)
            if not ready and self._later:
                self._later.pop()()
                gc.freeze()
            for key, _ in ready:
                if key.fileobj is self._connection:
                    if not self._handle_request():
                        self._end_children()
                        return
                else:
                    os.read(self._wake_read, 4096)
                    self._reap()

    def _handle_request(self) -> bool:
        """Do what one message asks for; False once there is nobody left to ask."""
        try:
            data, descriptors, _, _ = socket.recv_fds(self._connection, MAX_MESSAGE, 1)
        except OSError:
            return False
        if not data:
            return False
        request = json.loads(data)
        if "signal" in request:
            if request["pid"] in self._children:
                os.kill(request["pid"], request["signal"])
            return True
        try:
            pid = self._fork(request, descriptors[0])
            self._children.add(pid)
            self._send({"id": request["id"], "pid": pid})
        except OSError as error:
            self._send({"id": request["id"], "error": str(error)})
        finally:
            os.close(descriptors[0])
        return True

    def _fork(self, request: dict[str, Any], descriptor: int) -> int:
        parent = os.getpid()
        pid = os.fork()
        if pid:
            return pid
        code = 1
        try:
            signal.set_wakeup_fd(-1)
            for number in (signal.SIGCHLD, signal.SIGINT, signal.SIGTERM):
                signal.signal(number, signal.SIG_DFL)
            self._libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            self._libc.prctl(_PR_SET_NAME, request["title"].encode()[:15])
            if os.getppid() != parent:
                os._exit(1)
            self._connection.close()
            os.close(self._wake_read)
            os.close(self._wake_write)
            sys.path[:] = request["path"]
            code = _call(request["target"], socket.socket(fileno=descriptor), request["arguments"])
        finally:
            for stream in (sys.stdout, sys.stderr):
                stream.flush()
            # Threads that hang and user code's exit handlers have no say.
            os._exit(code)

    def _reap(self) -> None:
        while self._children:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid in self._children:
                self._children.discard(pid)
                self._send({"exited": pid, "status": os.waitstatus_to_exitcode(status)})

    def _end_children(self) -> None:
        deadline = time.monotonic() + GRACE_SECONDS
        number = signal.SIGTERM
        while self._children:
            for pid in self._children:
                os.kill(pid, number)
            while self._children and time.monotonic() < deadline:
                time.sleep(0.01)
                self._reap()
            deadline, number = deadline + GRACE_SECONDS, signal.SIGKILL

    def _send(self, message: dict[str, Any]) -> None:
        # Where nobody is left to tell, the next read says so.
        with contextlib.suppress(OSError):
            self._connection.send(json.dumps(message).encode())


def _call(target: str, connection: socket.socket, arguments: dict[str, Any]) -> int:
    """Run ``package.module:function`` and return its exit code."""
    import importlib

    module, _, name = target.partition(":")
    function: Callable[..., int | None] = getattr(importlib.import_module(module), name)
    return function(connection, **arguments) or 0
