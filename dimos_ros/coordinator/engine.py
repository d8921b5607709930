"""The engine of the coordinator: it drives containers to the desired state, in one asyncio loop."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from typing import Any

from dimos_ros.blueprint.plan import Plan
from dimos_ros.container.protocol import (
    ErrorRaised,
    JobFinished,
    ListHosted,
    NodeUnloaded,
    ParametersSet,
    Preload,
    StateChanged,
)
from dimos_ros.coordinator import instance_steps
from dimos_ros.coordinator.containers import Container, Containers, containers_of, sends_images
from dimos_ros.coordinator.records import OK, RESTARTING, UNLOADED, Record
from dimos_ros.coordinator.recovery import Recovery
from dimos_ros.coordinator.settings import Settings
from dimos_ros.exceptions import (
    BlueprintError,
    BuildError,
    CoordinatorStoppedError,
    DimosError,
    InstanceNotFoundError,
    ModuleFailedError,
)
from dimos_ros.naming.instance_key import InstanceKey
from dimos_ros.naming.wording import count
from dimos_ros.processes.launcher import Exit, Launcher
from dimos_ros.processes.message import Event
from dimos_ros.processes.supervisor import RespawnPolicy
from dimos_ros.transport.introducer import Introducer

_log = logging.getLogger(__name__)

Step = Callable[[Record], Awaitable[None]]


class Engine:
    """Engine of a coordinator: it holds all instances, starts, restarts and unloads them.

    It calls ``on_change()`` after each change of an instance, ``on_progress(text)`` with each step for the log, and
    ``on_finished(summary)`` when a module has finished the job.
    """

    def __init__(
        self,
        launcher: Launcher,
        settings: Settings,
        *,
        on_change: Callable[[], None],
        on_progress: Callable[[str], None],
        on_finished: Callable[[str], None],
        introducer: Introducer | None = None,
    ) -> None:
        self.settings = settings
        self.records: dict[InstanceKey, Record] = {}
        self.containers = Containers(
            launcher,
            settings,
            self._hear,
            self._exited,
            on_change,
            sends_images=self._sends_images,
            introducer=introducer.port if introducer else 0,
        )
        self._introducer = introducer
        self._on_change = on_change
        self._on_progress = on_progress
        self._on_finished = on_finished
        self._unique_ids = itertools.count(1)
        self._background: set[asyncio.Task[Any]] = set()
        self.recovery = Recovery(
            RespawnPolicy(settings.respawn_limit, settings.respawn_delay) if settings.respawn else None,
            is_wanted=lambda record: self.records.get(record.key) is record,
            bring_up=self._bring_back,
            on_change=on_change,
            on_progress=on_progress,
        )
        self._stopping = False

    # ------------------------------------------------------------------------------------------------ deploy

    async def deploy(self, plan: Plan) -> list[Record]:
        """Start the instances of a plan in parallel, but activate providers before consumers.

        With ``fail_fast``, one failure takes all instances of this plan down again. Raises BuildError, which names
        each instance that failed, BlueprintError if a full name is taken, CoordinatorStoppedError.
        """
        self._check_running()
        taken = [str(instance.key) for instance in plan if instance.key in self.records]
        if taken:
            raise BlueprintError(f"already running: {', '.join(taken)}; unload first, or use another namespace or name")
        started = time.monotonic()
        records = [Record(instance, next(self._unique_ids)) for instance in plan]
        self.records.update({record.key: record for record in records})
        self._on_change()
        self._on_progress(f"starting {count(len(records), 'module')} in {count(len(containers_of(plan)), 'container')}")
        try:
            with self._introducer.holding(_hold_seconds(plan)) if self._introducer else contextlib.nullcontext():
                failures = await self._bring_up(records)
            if failures and self.settings.fail_fast:
                raise _build_error(records, failures)
            await self._check_count(records, failures)
        except BaseException:
            await asyncio.shield(self._remove(records))
            raise
        self.containers.keep_spares()
        up = sum(record.is_up for record in records)
        self._on_progress(f"{up} of {count(len(records), 'module')} up after {time.monotonic() - started:.2f} s")
        return records

    async def _bring_up(self, records: Sequence[Record]) -> dict[InstanceKey, DimosError]:
        """Load, configure and activate instances. Returns the reason of each failure by key."""
        failures: dict[InstanceKey, DimosError] = {}
        await self._each(records, self._load, failures)
        await self._each(records, lambda r: instance_steps.transition(r, "configure", self.settings), failures)
        done = itertools.count(1)

        async def activate(record: Record) -> None:
            await instance_steps.transition(record, "activate", self.settings)
            record.health = OK
            self._on_progress(f"{record} is active ({next(done)} of {len(records)})")

        for stage in sorted({record.instance.stage for record in records}):
            await self._each([r for r in records if r.instance.stage == stage], activate, failures)
        return failures

    async def _each(self, records: Sequence[Record], step: Step, failures: dict[InstanceKey, DimosError]) -> None:
        """Run one step for all instances that have not failed, in parallel.

        With ``fail_fast``, the first failure ends the step for all.
        """
        if failures and self.settings.fail_fast:
            return

        async def one(record: Record) -> None:
            try:
                async with record.lock:
                    await step(record)
            except DimosError as error:
                failures[record.key] = error
                self._on_progress(f"failed: {error}")
                if self.settings.fail_fast:
                    raise
            finally:
                self._on_change()

        await side_by_side([one(record) for record in records if record.key not in failures])

    async def _load(self, record: Record) -> None:
        await instance_steps.load(record, await self.containers.planned(record.instance.container), self.settings)

    async def _check_count(self, records: Sequence[Record], failures: dict[InstanceKey, DimosError]) -> None:
        """Compare the nodes that the containers host with the plan. Raises BuildError for missing nodes."""
        containers = [*{r.container for r in records if r.container is not None and r.container.is_alive}]
        asked = (container.ask(ListHosted(), self.settings.load_timeout) for container in containers)
        hosted: set[str] = set()
        faults: dict[Container | None, str] = {}
        for container, answer in zip(containers, await asyncio.gather(*asked, return_exceptions=True), strict=True):
            if isinstance(answer, DimosError):
                faults[container] = str(answer)
            elif isinstance(answer, BaseException):
                raise answer
            else:
                hosted |= {node.full_node_name for node in answer.nodes}
        missing = [r for r in records if r.key not in failures and r.key.full_node_name not in hosted]
        if missing:
            default = "its container does not host it"
            why = {r.key: r.last_error or faults.get(r.container, default) for r in missing}
            raise _build_error(records, {r.key: ModuleFailedError(f"{r}: {why[r.key]}") for r in missing})

    # ------------------------------------------------------------------------------------- unload and restart

    async def unload(self, key: InstanceKey) -> str:
        """Stop one instance and remove it from the fleet; return a sentence about it. Raises InstanceNotFoundError."""
        self._check_running()
        record = self._record(key)
        started = time.monotonic()
        async with record.lock:
            self._still(record)
            note = await self._take_down(record, UNLOADED)
            self.records.pop(key, None)
        self._on_change()
        return f"{record} unloaded in {time.monotonic() - started:.3f} s{f'; {note}' if note else ''}"

    async def restart(self, key: InstanceKey, reload_source: bool = True) -> str:
        """Restart one instance in place, with its current source if ``reload_source``; return a sentence about it.

        Raises InstanceNotFoundError, ModuleFailedError, CoordinatorStoppedError.
        """
        self._check_running()
        record = self._record(key)
        started = time.monotonic()
        async with record.lock:
            self._still(record)
            old = record.container
            fresh = reload_source or old is None or not old.is_alive
            container = await self._fresh_container(record) if fresh or old is None else old
            record.health = RESTARTING
            self._on_change()
            note = await self._take_down(record, RESTARTING, keep=container)
            self._check_running()
            record.restarts += 1
            record.ends_in_a_row = 0
            try:
                await self._start_again(record, container)
            finally:
                self._on_change()
        where = f"process {container.pid}" if fresh else f"the same process {container.pid}"
        text = f"{record} restarted in {time.monotonic() - started:.3f} s, in {where}"
        return f"{text}; {note}" if note else text

    async def restart_all(self, namespace: str, keys: Sequence[InstanceKey], reload_source: bool) -> str:
        """Restart instances, providers before consumers; return a sentence about it.

        Raises ModuleFailedError, which names each instance that failed.
        """
        stages = {key: self._record(key).instance.stage for key in keys}
        return await self._all(namespace, stages, "restarted", lambda key: self.restart(key, reload_source))

    async def unload_all(self, namespace: str, keys: Sequence[InstanceKey]) -> str:
        """Unload instances, consumers before providers; return a sentence about it."""
        stages = {key: -self._record(key).instance.stage for key in keys}
        return await self._all(namespace, stages, "unloaded", self.unload)

    async def _all(
        self, namespace: str, stages: dict[InstanceKey, int], done: str, act: Callable[[InstanceKey], Awaitable[str]]
    ) -> str:
        started = time.monotonic()
        failures: list[str] = []
        for stage in sorted(set(stages.values())):
            keys = [key for key in stages if stages[key] == stage]
            results = await asyncio.gather(*(act(key) for key in keys), return_exceptions=True)
            failures += [str(result) for result in results if isinstance(result, BaseException)]
        text = f"{count(len(stages) - len(failures), 'module')} of {len(stages)} under {namespace or '/'!r} {done}"
        if failures:
            raise ModuleFailedError(f"{text}; failed: {'; '.join(failures)}")
        return f"{text} in {time.monotonic() - started:.3f} s: {', '.join(map(str, stages))}"

    async def _fresh_container(self, record: Record) -> Container:
        """Start a new container that imports the current source of the instance's class.

        Raises ModuleFailedError. The old instance then runs on.
        """
        request = record.instance.request
        try:
            name = f"{record.key.full_node_name}_container_{record.incarnation + 1}"
            container = await self.containers.start(name, sends_images=sends_images(record.instance), spare=True)
            try:
                await container.ask(Preload(request.package_name, request.plugin_name), self.settings.load_timeout)
            except BaseException:
                await asyncio.shield(self.containers.end(container, 0.0))
                raise
        except DimosError as error:
            record.last_error = f"not restarted: {error}"
            self._on_change()
            raise ModuleFailedError(f"{record} was not restarted and runs on unchanged: {error}") from error
        return container

    async def _start_again(self, record: Record, container: Container) -> None:
        await instance_steps.load(record, container, self.settings)
        await instance_steps.transition(record, "configure", self.settings)
        await instance_steps.transition(record, "activate", self.settings)
        record.health = OK

    async def _bring_back(self, record: Record) -> None:
        await self._start_again(record, await self.containers.planned(record.instance.container))

    async def _take_down(self, record: Record, health: str, keep: Container | None = None) -> str:
        """Stop an instance and return a note for the answer. A container that is then empty ends in the background."""
        container = record.container
        note = await instance_steps.take_down(record, self.settings)
        record.left(health)
        if container is not None and container is not keep and not self._hosts(container):
            self._in_background(self.containers.end(container, self.settings.stop_timeout))
        return note

    def _hosts(self, container: Container) -> bool:
        """Tell whether a container hosts an instance or is about to."""
        return any(record.container is container for record in self.records.values())

    def _in_background(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        task = asyncio.ensure_future(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)
        return task

    async def _remove(self, records: Iterable[Record]) -> None:
        """Stop instances, consumers before providers, and remove them from the fleet."""
        left = [record for record in records if self.records.get(record.key) is record]
        for stage in sorted({record.instance.stage for record in left}, reverse=True):
            await asyncio.gather(*(self._remove_one(r) for r in left if r.instance.stage == stage))
        self._on_change()

    async def _remove_one(self, record: Record) -> None:
        async with record.lock:
            note = await self._take_down(record, UNLOADED)
            if self.records.get(record.key) is record:
                del self.records[record.key]
        if note:
            self._on_progress(f"{record}: {note}")

    async def stop(self) -> None:
        """Stop all instances in reverse order and end all processes. Requests that arrive meanwhile are refused."""
        self._stopping = True
        await self.recovery.stop()
        await self._remove(list(self.records.values()))
        await self.containers.close(self.settings.stop_timeout)
        await asyncio.gather(*self._background, return_exceptions=True)

    # ------------------------------------------------------------------------------------------------- events

    def _hear(self, container: Container, event: Event) -> None:
        if isinstance(event, JobFinished):
            self._on_finished(event.summary)
            return
        node_id = getattr(event, "unique_id", 0)
        record = next((r for r in self.records.values() if r.container is container and r.node_id == node_id), None)
        if record is None:
            return
        if isinstance(event, StateChanged):
            record.state = event.state
        elif isinstance(event, ErrorRaised):
            record.last_error = event.text
        elif isinstance(event, NodeUnloaded):
            if record.health != OK:
                return  # the task that starts or stops the instance notices by itself
            record.left(UNLOADED)
            record.last_error = f"it was unloaded over the services of {container.name}; a restart loads it again"
        elif isinstance(event, ParametersSet):
            record.set_parameters(event.changed)
        else:
            _log.error("%s: the coordinator does not know the event %s and ignores it", container.name, event.name)
        self._on_change()

    def _exited(self, container: Container, how: Exit) -> None:
        """Hand the instances of a container that ended unexpectedly to the recovery."""
        lost = [record for record in self.records.values() if record.container is container]
        self.recovery.lost(lost, container, how)

    # ------------------------------------------------------------------------------------------------ helpers

    def _sends_images(self, name: str) -> bool:
        """Tell whether an instance of a container publishes large messages; with "", of any container."""
        instances = (record.instance for record in self.records.values())
        return any(sends_images(instance) for instance in instances if name in ("", instance.container))

    def _record(self, key: InstanceKey) -> Record:
        try:
            return self.records[key]
        except KeyError:
            raise InstanceNotFoundError(f"{key} does not run") from None

    def _still(self, record: Record) -> None:
        """Check, after a wait, that an instance is still part of the fleet. Raises InstanceNotFoundError."""
        self._check_running()
        if self.records.get(record.key) is not record:
            raise InstanceNotFoundError(f"{record} was unloaded while this request waited")

    def _check_running(self) -> None:
        if self._stopping:
            raise CoordinatorStoppedError("the coordinator is stopping")


async def side_by_side(work: Sequence[Coroutine[Any, Any, None]]) -> None:
    """Run coroutines in parallel. The first one that raises ends those that still run.

    A DimosError is not raised again here, because the coroutine has noted it for the caller.
    """
    tasks = [asyncio.ensure_future(coroutine) for coroutine in work]
    if not tasks:
        return
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
    finally:
        for task in tasks:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
    for result in results:
        if isinstance(result, Exception) and not isinstance(result, DimosError):
            raise result


def _hold_seconds(plan: Plan) -> float:
    """Return the seconds for which discovery between the processes of a plan may be held back while they start."""
    return 1.0 + 0.1 * len(containers_of(plan))


def _build_error(records: Sequence[Record], failures: Mapping[InstanceKey, DimosError]) -> BuildError:
    """Return the error that names each instance that failed, with the tracebacks of all."""
    up = len(records) - len(failures)
    texts = "; ".join(map(str, failures.values()))
    error = BuildError(f"{up} of {count(len(records), 'module')} came up; failed: {texts}")
    error.remote_traceback = "\n".join(filter(None, (failure.remote_traceback for failure in failures.values())))
    return error
