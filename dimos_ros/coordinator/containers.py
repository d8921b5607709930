"""The container processes of a coordinator, and the spare ones that a restart takes."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable
from typing import Any

from dimos_ros.coordinator.settings import Settings
from dimos_ros.exceptions import ContainerDiedError, DimosError
from dimos_ros.processes.launcher import ChildProcess, Launcher
from dimos_ros.transport.leftovers import remove_segments, segments_of

HOSTED = "dimos_ros.coordinator.container_agent:run"
BEGIN_SECONDS = 20.0
JOIN_SECONDS = 2.0


class Container:
    """A container process: its full node ``name`` once it has begun, and what it tells of its nodes."""

    def __init__(self, on_event: Callable[[Container, str, dict[str, Any]], None]) -> None:
        self.name = ""
        self.process: ChildProcess | None = None
        self.is_ending = False
        self.nodes = 0
        """Nodes that are loaded in it or about to be."""
        self.sends_images = False
        """Whether its transport is set up for large messages."""
        self.segments: frozenset[str] = frozenset()
        """Shared memory that it has made."""
        self._on_event = on_event

    @property
    def pid(self) -> int:
        return self.process.pid if self.process else 0

    @property
    def is_alive(self) -> bool:
        return self.process is not None and self.process.is_alive

    async def ask(self, operation: str, timeout: float | None = None, /, **arguments: Any) -> Any:
        """The answer of the process; raises as :meth:`ParentEnd.ask` does."""
        if self.process is None or not self.is_alive:
            raise ContainerDiedError(f"the process of {self.name or 'a container'} is gone")
        return await self.process.channel.ask(operation, timeout, **arguments)

    def tell(self, operation: str, /, **arguments: Any) -> None:
        """As :meth:`ParentEnd.tell`."""
        if self.process is not None and self.is_alive:
            self.process.channel.tell(operation, **arguments)

    def hear(self, event: str, data: dict[str, Any]) -> None:
        self._on_event(self, event, data)


class Containers:
    """Starts and ends container processes, in one asyncio loop."""

    def __init__(
        self,
        launcher: Launcher,
        settings: Settings,
        on_event: Callable[[Container, str, dict[str, Any]], None],
        on_exit: Callable[[Container, int], None],
        on_start: Callable[[], None],
        sends_images: Callable[[str], bool],
        introducer: int = 0,
    ) -> None:
        """``sends_images(group)`` says whether what is to run in a container does, with "" in any;
        ``introducer`` is the port of the one who introduces the containers to each other, if there is one."""
        self._launcher = launcher
        self._settings = settings
        self._on_event = on_event
        self._on_exit = on_exit
        self._on_start = on_start
        self._sends_images = sends_images
        self._introducer = introducer
        self._groups: dict[str, asyncio.Future[Container]] = {}
        self._spares: list[Container] = []
        self._refill: asyncio.Task[None] | None = None
        self._closed = False
        self.all: list[Container] = []

    async def start(self, name: str, *, sends_images: bool, spare: bool = False) -> Container:
        """A container of that full node name, from a spare process if ``spare`` and there is one that will do.

        Raises ContainerDiedError, RequestTimeoutError.
        """
        container = self._take_spare(sends_images) if spare else None
        if container is None:
            container = await self._fork(name, sends_images)
        container.name = name
        self.all.append(container)
        try:
            namespace, _, node_name = name.rpartition("/")
            await container.ask("begin", BEGIN_SECONDS, name=node_name, namespace=namespace or "/")
        except BaseException:
            await self.end(container, 0.0)
            raise
        container.segments = segments_of(container.pid)
        self._on_start()
        if spare:
            self.keep_spares()
        return container

    async def of_group(self, name: str) -> Container:
        """The container of a container, started if it does not run; one more node is about to be in it.

        Raises ContainerDiedError, RequestTimeoutError.
        """
        started = self._groups.get(name)
        if started is None or (started.done() and not _is_usable(started)):
            started = self._groups[name] = asyncio.ensure_future(
                self.start(name, sends_images=self._sends_images(name))
            )
        container = await asyncio.shield(started)
        container.nodes += 1
        return container

    async def end(self, container: Container, timeout: float) -> bool:
        """End a container's process; by force after ``timeout`` seconds. Whether force was needed."""
        container.is_ending = True
        if container in self.all:
            self.all.remove(container)
        process = container.process
        if process is None or not process.is_alive:
            return False
        container.tell("stop")
        forced = not await process.wait(timeout)
        if forced:
            process.send_signal(signal.SIGKILL)
            await process.wait(BEGIN_SECONDS)
        return forced

    def keep_spares(self) -> None:
        """See to it, in the background, that there are as many spare processes as is set."""
        if not self._closed and (self._refill is None or self._refill.done()):
            self._refill = asyncio.ensure_future(self._fill())

    async def close(self, timeout: float) -> None:
        """End all processes."""
        self._closed = True
        if self._refill is not None:
            self._refill.cancel()
            with contextlib.suppress(asyncio.CancelledError, DimosError):
                await self._refill
        left = [*self.all, *self._spares]
        self._spares.clear()
        await asyncio.gather(*(self.end(container, timeout) for container in left))

    def _take_spare(self, sends_images: bool) -> Container | None:
        for container in self._spares:
            if container.is_alive and (container.sends_images or not sends_images):
                self._spares.remove(container)
                return container
        return None

    async def _fill(self) -> None:
        sends_images = self._sends_images("")
        for container in [c for c in self._spares if sends_images and not c.sends_images]:
            self._spares.remove(container)
            await self.end(container, JOIN_SECONDS)
        while not self._closed and len(self._spares) < self._settings.spares:
            container = await self._fork("spare", sends_images)
            try:
                await container.ask("join", BEGIN_SECONDS)
            except DimosError:
                await self.end(container, 0.0)
                return
            except asyncio.CancelledError:
                await self.end(container, JOIN_SECONDS)
                raise
            container.segments = segments_of(container.pid)
            self._spares.append(container)

    async def _fork(self, title: str, sends_images: bool) -> Container:
        container = Container(self._on_event)
        container.sends_images = sends_images
        container.process = await self._launcher.fork(
            HOSTED,
            title.rpartition("/")[2],
            container.hear,
            executor=self._settings.executor,
            log_level=self._settings.log_level,
            sends_images=sends_images,
            fleet_size=max(len(self._groups), len(self.all)) + self._settings.spares,
            introducer=self._introducer,
        )
        container.process.exited.add_done_callback(lambda exited: self._exited(container, exited.result()))
        return container

    def _exited(self, container: Container, status: int) -> None:
        remove_segments(container.segments)
        if container in self.all:
            self.all.remove(container)
        if container in self._spares:
            self._spares.remove(container)
        if not container.is_ending:
            self._on_exit(container, status)


def _is_usable(started: asyncio.Future[Container]) -> bool:
    if started.cancelled() or started.exception():
        return False
    container = started.result()
    return container.is_alive and not container.is_ending
