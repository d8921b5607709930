"""Supervision of child processes: start, end, exit and respawn."""

from __future__ import annotations

import asyncio
import logging
import math
import signal
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from dimos_ros.processes.launcher import ChildProcess, Exit, Launcher
from dimos_ros.processes.message import Notice, Protocol
from dimos_ros.processes.request_id import request

KILL_SECONDS = 20.0
"""How long a process may take to end after SIGKILL."""
CLOSED_SECONDS = 5.0
"""How long a process may live without its control channel. Without the channel it cannot get requests."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RespawnPolicy:
    """The rule for starting a process again after it ended without being asked to.

    ``limit`` is the number of ends in a row that are followed by a respawn. ``delay`` is the pause before the first
    respawn in seconds, and doubles with each. If a process ran longer than ``forgotten_after`` seconds, the count
    starts again.
    """

    limit: int
    delay: float = 0.0
    forgotten_after: float = math.inf

    def ends_in_a_row(self, before: int, ran: float) -> int:
        """Return the count after one more end, of a process that ran for ``ran`` seconds."""
        return 1 if ran > self.forgotten_after else before + 1

    def delay_after(self, ends: int) -> float | None:
        """Return the seconds to wait before the next respawn after ``ends`` ends in a row; None to give up."""
        return None if ends > self.limit else self.delay * 2.0 ** (ends - 1)


class Supervisor:
    """The start and end of all processes of one ``target``, an import path as in :meth:`Launcher.fork`.

    ``stop`` is the notice that asks a process to end itself. Call all methods in the launcher's loop.
    """

    def __init__(self, launcher: Launcher, target: str, protocol: Protocol, stop: Notice) -> None:
        self._launcher = launcher
        self._target = target
        self._protocol = protocol
        self._stop = stop
        self._ending: set[ChildProcess] = set()

    async def start(
        self,
        title: str,
        on_event: Callable[[Any], None],
        on_exit: Callable[[ChildProcess, Exit], None],
        **arguments: Any,
    ) -> ChildProcess:
        """Start a process and return it.

        When the process ends without :meth:`end`, ``on_exit(process, exit)`` is called. Raises ContainerDiedError
        if the process cannot be started.
        """
        process: ChildProcess | None = None

        def closed(reason: str) -> None:
            if process is not None and process not in self._ending:
                self._on_channel_closed(process, reason)

        process = await self._launcher.fork(self._target, title, self._protocol, on_event, closed, **arguments)

        def exited(future: asyncio.Future[Exit]) -> None:
            if process in self._ending:
                self._ending.discard(process)
            else:
                on_exit(process, future.result())

        with request(""):  # a later end is not part of the request that started the process
            process.exited.add_done_callback(exited)
        return process

    async def end(self, process: ChildProcess, timeout: float) -> bool:
        """Ask a process to stop, and kill it after ``timeout`` seconds. Return whether it was killed."""
        if not process.is_alive:
            return False
        self._ending.add(process)
        process.channel.tell(self._stop)
        if await process.wait(timeout):
            return False
        process.send_signal(signal.SIGKILL)
        await process.wait(KILL_SECONDS)
        return True

    def _on_channel_closed(self, process: ChildProcess, reason: str) -> None:
        """Kill a process if it still runs :data:`CLOSED_SECONDS` after its control channel ended.

        Usually the channel ended because the process did.
        """

        def kill() -> None:
            if process.is_alive and process not in self._ending:
                _log.error(
                    "%s: process %d is killed: it still runs, but its control channel has ended (%s)",
                    *(process.channel.name, process.pid, reason),
                )
                process.send_signal(signal.SIGKILL)

        asyncio.get_running_loop().call_later(CLOSED_SECONDS, kill)


async def how_it_ended(process: ChildProcess, timeout: float) -> str:
    """Return how a process ended, in words; "stopped answering" if it has not ended within ``timeout`` seconds."""
    return str(process.exited.result()) if await process.wait(timeout) else "stopped answering"
