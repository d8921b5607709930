"""Recovery of instances whose container ended unexpectedly: mark them as crashed, then respawn them by a policy."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from dimos_ros.coordinator.containers import Container
from dimos_ros.coordinator.records import CRASHED, OK, Record
from dimos_ros.exceptions import DimosError
from dimos_ros.processes.launcher import Exit
from dimos_ros.processes.supervisor import RespawnPolicy

_AFTER = ", after "


class Recovery:
    """Recovery of crashed instances, in the coordinator's loop. Without a ``policy`` it respawns nothing.

    ``is_wanted(record)`` says whether an instance is still part of the fleet. ``bring_up(record)`` loads and activates
    an instance, and raises DimosError if that fails. ``on_change`` and ``on_progress`` are the engine's.
    """

    def __init__(
        self,
        policy: RespawnPolicy | None,
        *,
        is_wanted: Callable[[Record], bool],
        bring_up: Callable[[Record], Awaitable[None]],
        on_change: Callable[[], None],
        on_progress: Callable[[str], None],
    ) -> None:
        self._policy = policy
        self._is_wanted = is_wanted
        self._bring_up = bring_up
        self._on_change = on_change
        self._on_progress = on_progress
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopping = False

    def lost(self, lost: Sequence[Record], container: Container, how: Exit) -> None:
        """Mark the instances of a container that ended unexpectedly as crashed, and respawn those that were up."""
        reason = f"its process {container.pid} {how}"
        # The task that is starting or stopping an instance handles its failure itself.
        were_up = [record for record in lost if record.health == OK]
        ran = max((record.uptime for record in were_up), default=0.0)
        for record in lost:
            raised = record.last_error.partition(_AFTER)[2] or record.last_error
            is_cause = bool(raised) and not raised.startswith("its process")
            record.last_error = f"{reason}{_AFTER}{raised}" if is_cause else reason
            record.left(CRASHED)
        self._on_change()
        if lost:
            self._on_progress(f"{container.name}: {reason}; lost {', '.join(map(str, lost))}")
        if were_up and self._policy is not None and not self._stopping:
            task = asyncio.ensure_future(self._respawn(self._policy, were_up, ran))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def stop(self) -> None:
        """Cancel all respawns and start no more."""
        self._stopping = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _respawn(self, policy: RespawnPolicy, lost: Sequence[Record], ran: float) -> None:
        """Load instances again whose process died, unless a request restarts or unloads them first."""
        before = max(record.ends_in_a_row for record in lost)
        delay = policy.delay_after(policy.ends_in_a_row(before, ran))
        if delay is None:
            names = ", ".join(map(str, lost))
            self._on_progress(
                f"{names}: the process died {before} times in a row, so it is not started again; restart it by hand"
            )
            return
        await asyncio.sleep(delay)
        for record in sorted(lost, key=lambda r: r.instance.stage):
            async with record.lock:
                if not self._is_wanted(record) or record.health != CRASHED or self._stopping:
                    continue
                record.ends_in_a_row += 1
                record.restarts += 1
                try:
                    await self._bring_up(record)
                    self._on_progress(f"{record} is back, in process {record.container and record.container.pid}")
                except DimosError as error:
                    self._on_progress(f"not started again: {error}")
            self._on_change()
