"""The fork server: a process that has imported the modules of its children, and forks them.

It has one thread and no ROS context, and it runs no user code. It was started with a socket, from which it reads
requests. On the same socket it reports the children that have started or ended. When the other end of the socket is
closed, the fork server ends its children and itself.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
import json
import os
import selectors
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterable
from typing import Any

from dimos_ros.processes import child

MAX_MESSAGE = 1 << 20
GRACE_SECONDS = 5.0
"""How long children may take to end by themselves after the other end of the socket was closed."""

_PR_SET_PDEATHSIG = 1


def main(descriptor: int, preload: str) -> None:
    """Handle requests until the other end of the socket ``descriptor`` is closed.

    ``preload`` is the import path of a function that imports the modules which children need. It returns more
    functions. The fork server calls these while it is idle, since only later children profit from them.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    # Garbage collection takes a sixth of the imports' time, and finds hardly any garbage.
    gc.disable()
    module, _, name = preload.partition(":")
    later: Iterable[Callable[[], object]] = getattr(importlib.import_module(module), name)()
    # The collector never visits the objects that exist now, so that their pages stay shared with the children.
    gc.freeze()
    gc.enable()
    with socket.socket(fileno=descriptor) as connection:
        _Server(connection, list(later)).serve()


class _Server:
    def __init__(self, connection: socket.socket, later: list[Callable[[], object]]) -> None:
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
        """Handle one message. Return False if the other end is closed."""
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
        try:
            signal.set_wakeup_fd(-1)
            for number in (signal.SIGCHLD, signal.SIGINT, signal.SIGTERM):
                signal.signal(number, signal.SIG_DFL)
            self._libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            child.name_process(request["title"])
            if os.getppid() == parent:
                self._connection.close()
                os.close(self._wake_read)
                os.close(self._wake_write)
                sys.path[:] = request["path"]
                child.main(request["target"], socket.socket(fileno=descriptor), request["arguments"])
        finally:
            os._exit(1)

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
        # If the other end is closed, the next read reports it.
        with contextlib.suppress(OSError):
            self._connection.send(json.dumps(message).encode())
