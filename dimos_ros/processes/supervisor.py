"""Supervision of child processes: how they are started and ended, how they ended, and when they are brought back."""

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
"""How long a process that got SIGKILL may take to be gone."""
CLOSED_SECONDS = 5.0
"""How long a process may live on without its control channel, over which nothing can be asked of it any more."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RespawnPolicy:
    """When a process that ended unasked is brought back.

    ``limit`` is how many ends in a row are followed by a respawn. ``delay`` is the pause before the first, in seconds;
    it doubles with each. A process that ran longer than ``forgotten_after`` seconds starts the count anew.
    """

    limit: int
    delay: float = 0.0
    forgotten_after: float = math.inf

    def ends_in_a_row(self, before: int, ran: float) -> int:
        """The count after one more end, of a process that ran for ``ran`` seconds."""
        return 1 if ran > self.forgotten_after else before + 1

    def delay_after(self, ends: int) -> float | None:
        """Seconds to wait after that many ends in a row before the next respawn; None to give up."""
        return None if ends > self.limit else self.delay * 2.0 ** (ends - 1)


class Supervisor:
    """Starts and ends the processes of one ``target``, an import path as :meth:`Launcher.fork` takes it.

    ``stop`` is the notice that asks a process to end itself. All methods belong to the launcher's loop.
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
        """Start a process; ``on_exit(process, exit)`` hears of its end if :meth:`end` did not ask for it.

        Raises ContainerDiedError.
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

        with request(""):  # an end that comes later does not belong to the request that started the process
            process.exited.add_done_callback(exited)
        return process

    async def end(self, process: ChildProcess, timeout: float) -> bool:
        """End a process: ask it to stop, and kill it after ``timeout`` seconds. Returns whether it was killed."""
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
        """Kill a process that lives on without its control channel. Mostly the channel ends since the process does."""

        def kill() -> None:
            if process.is_alive and process not in self._ending:
                _log.error(
                    "%s (process %d) lives on without its control channel (%s), and is killed",
                    *(process.channel.name, process.pid, reason),
                )
                process.send_signal(signal.SIGKILL)

        asyncio.get_running_loop().call_later(CLOSED_SECONDS, kill)


async def how_it_ended(process: ChildProcess, timeout: float) -> str:
    """How a process ended, in words; "stopped answering" where it has not ended within ``timeout`` seconds."""
    return str(process.exited.result()) if await process.wait(timeout) else "stopped answering"
