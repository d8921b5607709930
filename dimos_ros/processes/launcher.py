"""Starting child processes through a fork server, from an asyncio loop."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import logging
import signal
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from dimos_ros.exceptions import ContainerDiedError
from dimos_ros.processes.channel import ParentEnd
from dimos_ros.processes.message import Protocol
from dimos_ros.processes.request_id import request
from dimos_ros.processes.server_process import ForkServer, import_path

START_SECONDS = 60.0
LAST_WORDS_SECONDS = 0.2
"""How long an exit waits for the channel to end. A process that the child started may keep the channel open."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Exit:
    """The end of a process.

    ``status`` is the exit code, or the negative number of the signal that ended the process; None if the fork server
    ended, which alone would know. ``last_words`` is the error that ended the process, if the process reported one.
    """

    status: int | None
    last_words: str = ""

    def __str__(self) -> str:
        if self.status is None:
            return "ended with the fork server, the process that starts all other processes"
        how = f"signal {signal.Signals(-self.status).name}" if self.status < 0 else f"exit code {self.status}"
        return f"ended with {how}{f': {self.last_words}' if self.last_words else ''}"


class ChildProcess:
    """A forked process: ``pid``, its control ``channel``, and ``exited``, a future of its :class:`Exit`."""

    def __init__(self, launcher: Launcher, pid: int, channel: ParentEnd) -> None:
        self._launcher = launcher
        self.pid = pid
        self.channel = channel
        self.exited: asyncio.Future[Exit] = asyncio.get_running_loop().create_future()

    @property
    def is_alive(self) -> bool:
        """Whether the process runs."""
        return not self.exited.done()

    def send_signal(self, number: int) -> None:
        """Send a signal to the process. If the process has ended, nothing happens."""
        if self.is_alive:
            self._launcher._send({"pid": self.pid, "signal": int(number)})

    async def wait(self, timeout: float) -> bool:
        """Wait ``timeout`` seconds at most, and return whether the process has ended."""
        done, _ = await asyncio.wait([self.exited], timeout=timeout)
        return bool(done)


class Launcher:
    """The parent's side of a fork server. Make it with :meth:`open`, and call all methods in the same asyncio loop."""

    def __init__(self, server: ForkServer) -> None:
        self._server = server
        self._ids = itertools.count(1)
        self._starting: dict[int, asyncio.Future[int]] = {}
        self._children: dict[int, ChildProcess] = {}
        # Exits that are read before the task in fork() has received the child's process id.
        self._early: dict[int, int] = {}
        self._is_lost = True
        self._is_closed = False
        self._tasks: set[asyncio.Task[None]] = set()

    @classmethod
    async def open(cls, server: ForkServer) -> Launcher:
        """Return a launcher that uses ``server``."""
        launcher = cls(server)
        launcher._attach()
        return launcher

    def _attach(self) -> None:
        with request(""):  # the reader outlives the request that needs the fork server
            asyncio.get_running_loop().add_reader(self._server.connection, self._read)
        self._is_lost = False

    async def fork(
        self,
        target: str,
        title: str,
        protocol: Protocol,
        on_event: Callable[[Any], None],
        on_closed: Callable[[str], None] = lambda reason: None,
        **arguments: Any,
    ) -> ChildProcess:
        """Start ``package.module:function(connection, **arguments)`` in a child.

        ``title`` is the child's name in process lists and in the log. ``on_event`` and ``on_closed`` are as in
        :class:`ParentEnd`. If the fork server has died, a new one is started. Raises ContainerDiedError if no
        process can be started.
        """
        if self._is_lost and not self._is_closed:
            self._server = self._server.again()
            self._attach()
        ours, theirs = socket.socketpair()
        number = next(self._ids)
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._starting[number] = future
        with theirs:
            asked = {"id": number, "target": target, "title": title, "arguments": arguments, "path": import_path()}
            self._send(asked, theirs.fileno())
            try:
                pid = await asyncio.wait_for(future, START_SECONDS)
            except BaseException:
                ours.close()
                raise
            finally:
                self._starting.pop(number, None)
        _log.debug("started process %d for %s (%s)", pid, title, target)
        child = ChildProcess(self, pid, await ParentEnd.open(ours, protocol, title, on_event, on_closed))
        self._children[pid] = child
        if pid in self._early:
            self._exited(child, self._early.pop(pid))
        return child

    async def close(self, timeout: float = 5.0) -> None:
        """End the fork server and all children that still run."""
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
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _send(self, message: dict[str, Any], *descriptors: int) -> None:
        try:
            socket.send_fds(self._server.connection, [json.dumps(message).encode()], descriptors)
        except OSError as error:
            raise ContainerDiedError(f"the process that starts all other processes has ended: {error}") from None

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
            try:
                self._receive(json.loads(data))
            except (ValueError, TypeError, KeyError) as error:
                _log.error("the fork server sent data that is not a message (%s): %.200r", error, data)

    def _receive(self, message: dict[str, Any]) -> None:
        if "exited" in message:
            child = self._children.get(message["exited"])
            if child is None:
                self._early[message["exited"]] = message["status"]
            else:
                self._exited(child, message["status"])
            return
        future = self._starting.get(message["id"])
        if future is None or future.done():
            return
        if "error" in message:
            future.set_exception(ContainerDiedError(f"no process could be started: {message['error']}"))
        else:
            future.set_result(message["pid"])

    def _exited(self, child: ChildProcess, status: int) -> None:
        """Complete a child's ``exited`` after its last messages have been read."""
        del self._children[child.pid]

        async def finish() -> None:
            await asyncio.wait([child.channel.closed], timeout=LAST_WORDS_SECONDS)
            child.channel.close()
            _log.debug("process %d of %s ended with status %d", child.pid, child.channel.name, status)
            child.exited.set_result(Exit(status, child.channel.last_words))

        task = asyncio.ensure_future(finish())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _lost(self) -> None:
        self._is_lost = True
        if not self._is_closed:
            names = ", ".join(child.channel.name for child in self._children.values()) or "none"
            text = "the fork server (process %d) has ended, and with it all processes that it started: %s"
            _log.error(text, self._server.process.pid, names)
        for future in self._starting.values():
            if not future.done():
                future.set_exception(ContainerDiedError("the process that starts all other processes has ended"))
        for child in self._children.values():
            with contextlib.suppress(asyncio.InvalidStateError):
                child.channel.close()
                child.exited.set_result(Exit(None))
        self._children.clear()
