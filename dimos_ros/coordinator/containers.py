"""The container processes of a coordinator, and its spare processes, which restarts use."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable
from typing import TypeVar

from dimos_ros.blueprint.instance import Instance
from dimos_ros.container.protocol import PROTOCOL, Begin, Join, Stop
from dimos_ros.coordinator.container_agent import TARGET
from dimos_ros.coordinator.settings import Settings
from dimos_ros.exceptions import ContainerDiedError, DimosError
from dimos_ros.processes.launcher import ChildProcess, Exit, Launcher
from dimos_ros.processes.message import Event, Notice, Request
from dimos_ros.processes.request_id import request
from dimos_ros.processes.supervisor import Supervisor, how_it_ended
from dimos_ros.transport.leftovers import remove_segments, segments_of
from dimos_ros.transport.message_size import carries_bytes

A = TypeVar("A")

BEGIN_SECONDS = 20.0
JOIN_SECONDS = 2.0
DEATH_SECONDS = 2.0
"""How long an error waits for the exit code of a process whose channel has ended."""


def sends_images(instance: Instance) -> bool:
    """Tell whether an instance publishes large messages. Its process then needs another transport."""
    return any(carries_bytes(stream.message_type) for stream in instance.streams if stream.direction == "out")


def containers_of(instances: Iterable[Instance]) -> set[str]:
    """Return the full node names of the containers that instances need."""
    return {instance.container for instance in instances}


class Container:
    """A container process. ``name`` is its full node name, or "" while it is a spare process."""

    def __init__(self, sends_images: bool) -> None:
        self.name = ""
        self.process: ChildProcess | None = None
        self.is_ending = False
        self.sends_images = sends_images
        """Whether the transport of the process is set up for large messages."""
        self.segments: frozenset[str] = frozenset()
        """Names of the shared memory segments that the process has made."""

    @property
    def pid(self) -> int:
        return self.process.pid if self.process else 0

    @property
    def is_alive(self) -> bool:
        return self.process is not None and self.process.is_alive

    async def ask(self, asked: Request[A], timeout: float | None = None) -> A:
        """Return the answer of the process. Raises ContainerDiedError, and the errors of :meth:`ParentEnd.ask`."""
        if self.process is None or not self.is_alive:
            raise ContainerDiedError(f"the process of {self.name or 'a container'} has ended")
        try:
            return await self.process.channel.ask(asked, timeout)
        except ContainerDiedError:
            how = await how_it_ended(self.process, DEATH_SECONDS)
            raise ContainerDiedError(f"its process {self.pid} {how}") from None

    def tell(self, notice: Notice) -> None:
        """Send a notice to the process if it is alive; see :meth:`ParentEnd.tell`."""
        if self.process is not None and self.is_alive:
            self.process.channel.tell(notice)


class Containers:
    """All container processes of a coordinator. They are started and ended in one asyncio loop."""

    def __init__(
        self,
        launcher: Launcher,
        settings: Settings,
        on_event: Callable[[Container, Event], None],
        on_exit: Callable[[Container, Exit], None],
        on_start: Callable[[], None],
        sends_images: Callable[[str], bool],
        introducer: int = 0,
    ) -> None:
        """Make the set of containers, which is empty.

        ``sends_images(name)`` says whether an instance of the container ``name`` publishes large messages. With ""
        it says so for all containers. ``introducer`` is the port of the process that makes the containers known to
        each other, or 0 for none.
        """
        self._supervisor = Supervisor(launcher, TARGET, PROTOCOL, Stop())
        self._settings = settings
        self._on_event = on_event
        self._on_exit = on_exit
        self._on_start = on_start
        self._sends_images = sends_images
        self._introducer = introducer
        self._planned: dict[str, asyncio.Future[Container]] = {}
        self._spares: list[Container] = []
        self._refill: asyncio.Task[None] | None = None
        self._closed = False
        self.all: list[Container] = []

    async def start(self, name: str, *, sends_images: bool, spare: bool = False) -> Container:
        """Start a container of this full node name. With ``spare``, use a spare process if one fits.

        Raises ContainerDiedError, RequestTimeoutError.
        """
        container = self._take_spare(sends_images) if spare else None
        if container is None:
            container = await self._fork(name, sends_images)
        container.name = name
        assert container.process is not None
        container.process.channel.name = name.strip("/")
        self.all.append(container)
        try:
            namespace, _, node_name = name.rpartition("/")
            await container.ask(Begin(node_name, namespace or "/"), BEGIN_SECONDS)
        except BaseException:
            await self.end(container, 0.0)
            raise
        container.segments = segments_of(container.pid)
        self._on_start()
        if spare:
            self.keep_spares()
        return container

    async def planned(self, name: str) -> Container:
        """Return the container of this name, which plans name too; start it if it does not run.

        Raises ContainerDiedError, RequestTimeoutError.
        """
        while True:
            started = self._planned.get(name)
            if started is None or (started.done() and not _is_usable(started)):
                started = self._planned[name] = asyncio.ensure_future(
                    self.start(name, sends_images=self._sends_images(name))
                )
            container = await asyncio.shield(started)
            if not container.is_ending:  # otherwise its last node was unloaded during the wait
                return container

    async def end(self, container: Container, timeout: float) -> bool:
        """End the process of a container, by force after ``timeout`` seconds. Returns whether force was needed."""
        container.is_ending = True
        if container in self.all:
            self.all.remove(container)
        if container.process is None:
            return False
        forced = await self._supervisor.end(container.process, timeout)
        remove_segments(container.segments)
        return forced

    def keep_spares(self) -> None:
        """Start spare processes in the background until there are as many as the setting ``spares`` says."""
        if not self._closed and (self._refill is None or self._refill.done()):
            with request(""):  # a spare process works for a later request, not for the current one
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
                await container.ask(Join(), BEGIN_SECONDS)
            except DimosError:
                await self.end(container, 0.0)
                return
            except asyncio.CancelledError:
                await self.end(container, JOIN_SECONDS)
                raise
            container.segments = segments_of(container.pid)
            self._spares.append(container)

    async def _fork(self, title: str, sends_images: bool) -> Container:
        container = Container(sends_images)
        container.process = await self._supervisor.start(
            title.rpartition("/")[2],
            lambda event: self._on_event(container, event),
            lambda _, how: self._exited(container, how),
            executor=self._settings.executor,
            log_level=self._settings.log_level,
            sends_images=sends_images,
            fleet_size=max(len(self._planned), len(self.all)) + self._settings.spares,
            introducer=self._introducer,
        )
        return container

    def _exited(self, container: Container, how: Exit) -> None:
        remove_segments(container.segments)
        if container in self.all:
            self.all.remove(container)
        if container in self._spares:
            self._spares.remove(container)
        if not container.is_ending:
            self._on_exit(container, how)


def _is_usable(started: asyncio.Future[Container]) -> bool:
    if started.cancelled() or started.exception():
        return False
    container = started.result()
    return container.is_alive and not container.is_ending
