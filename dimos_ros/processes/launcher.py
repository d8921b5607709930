"""Starting child processes through a fork server, from an asyncio loop."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import socket
from collections.abc import Callable
from typing import Any

from dimos_ros.exceptions import ContainerDiedError
from dimos_ros.processes.channel import ParentEnd
from dimos_ros.processes.server_process import ForkServer, import_path

Listener = Callable[[str, dict[str, Any]], None]

START_SECONDS = 60.0


class ChildProcess:
    """A forked process: ``pid``, its control ``channel``, and ``exited``, a future of its exit code."""

    def __init__(self, launcher: Launcher, pid: int, channel: ParentEnd) -> None:
        self._launcher = launcher
        self.pid = pid
        self.channel = channel
        self.exited: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    @property
    def is_alive(self) -> bool:
        """Whether it has not ended."""
        return not self.exited.done()

    def send_signal(self, number: int) -> None:
        """Send a signal; nothing happens once it has ended."""
        if self.is_alive:
            self._launcher._send({"pid": self.pid, "signal": int(number)})

    async def wait(self, timeout: float) -> bool:
        """Whether it ended within ``timeout`` seconds."""
        done, _ = await asyncio.wait([self.exited], timeout=timeout)
        return bool(done)


class Launcher:
    """Forks children. Use :meth:`open`; all methods belong to the loop that it was opened in."""

    def __init__(self, server: ForkServer) -> None:
        self._server = server
        self._ids = itertools.count(1)
        self._starting: dict[int, asyncio.Future[int]] = {}
        self._children: dict[int, ChildProcess] = {}
        # An exit that is read before whoever asked for the child has come to know its number.
        self._early: dict[int, int] = {}
        self._is_lost = True
        self._is_closed = False

    @classmethod
    async def open(cls, server: ForkServer) -> Launcher:
        """Use a fork server."""
        launcher = cls(server)
        launcher._attach()
        return launcher

    def _attach(self) -> None:
        asyncio.get_running_loop().add_reader(self._server.connection, self._read)
        self._is_lost = False

    async def fork(self, target: str, title: str, on_event: Listener, **arguments: Any) -> ChildProcess:
        """Start ``package.module:function(connection, **arguments)`` in a child.

        ``title`` is what process lists show. A fork server that has died is replaced. Raises ContainerDiedError.
        """
        if self._is_lost and not self._is_closed:
            self._server.process.poll()  # so that it is no zombie
            self._server = ForkServer()
            self._attach()
        ours, theirs = socket.socketpair()
        number = next(self._ids)
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._starting[number] = future
        with theirs:
            request = {"id": number, "target": target, "title": title, "arguments": arguments, "path": import_path()}
            self._send(request, theirs.fileno())
            try:
                pid = await asyncio.wait_for(future, START_SECONDS)
            except BaseException:
                ours.close()
                raise
            finally:
                self._starting.pop(number, None)
        child = ChildProcess(self, pid, await ParentEnd.open(ours, on_event))
        if pid in self._early:
            child.exited.set_result(self._early.pop(pid))
        else:
            self._children[pid] = child
        return child

    async def close(self, timeout: float = 5.0) -> None:
        """End the fork server, and with it all children that are left."""
        if self._is_closed:
            return
        self._is_closed = True
        if not self._is_lost:
            asyncio.get_running_loop().remove_reader(self._server.connection)
        self._server.connection.close()
        deadline = asyncio.get_running_loop().time() + timeout
        while self._server.process.poll() is None:
            if asyncio.get_running_loop().time() > deadline:
                self._server.process.kill()
            await asyncio.sleep(0.002)
        self._lost()

    def _send(self, message: dict[str, Any], *descriptors: int) -> None:
        try:
            socket.send_fds(self._server.connection, [json.dumps(message).encode()], descriptors)
        except OSError as error:
            raise ContainerDiedError(f"the fork server is gone: {error}") from None

    def _read(self) -> None:
        while True:
            try:
                data = self._server.connection.recv(1 << 16, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return
            except OSError:
                data = b""
            if not data:
                asyncio.get_running_loop().remove_reader(self._server.connection)
                self._lost()
                return
            self._receive(json.loads(data))

    def _receive(self, message: dict[str, Any]) -> None:
        if "exited" in message:
            child = self._children.pop(message["exited"], None)
            if child is None:
                self._early[message["exited"]] = message["status"]
            else:
                # What it said last is still to be read; a child of its own may keep the connection open.
                asyncio.get_running_loop().call_later(0.2, child.channel.close)
                child.exited.set_result(message["status"])
            return
        future = self._starting.get(message["id"])
        if future is None or future.done():
            return
        if "error" in message:
            future.set_exception(ContainerDiedError(f"no process could be started: {message['error']}"))
        else:
            future.set_result(message["pid"])

    def _lost(self) -> None:
        self._is_lost = True
        for future in self._starting.values():
            if not future.done():
                future.set_exception(ContainerDiedError("the fork server ended"))
        for child in self._children.values():
            with contextlib.suppress(asyncio.InvalidStateError):
                child.channel.close()
                child.exited.set_result(-9)
        self._children.clear()
