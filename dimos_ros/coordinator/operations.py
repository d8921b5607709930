"""The operations of a fleet. The coordinator's services and its Python object both call them."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence

from dimos_ros.blueprint.instance import Instance
from dimos_ros.blueprint.plan import Plan
from dimos_ros.blueprint.source import BlueprintSource
from dimos_ros.calls.directory import Directory
from dimos_ros.coordinator.announcer import StateAnnouncer
from dimos_ros.coordinator.engine import Engine
from dimos_ros.coordinator.plan_in_child import PlanLoadRequest, PlanSource, plan_in_child
from dimos_ros.coordinator.records import Record
from dimos_ros.coordinator.request_log import RequestLog
from dimos_ros.coordinator.selection import as_word, fitting, select, select_namespace
from dimos_ros.coordinator.settings import Settings
from dimos_ros.declaration.declared import Declared
from dimos_ros.exceptions import InstanceNotFoundError
from dimos_ros.loading.load_request import LoadRequest
from dimos_ros.naming.import_path import path_of
from dimos_ros.naming.wording import listed
from dimos_ros.processes.launcher import Launcher
from dimos_ros.processes.server_process import ForkServer
from dimos_ros.transport.introducer import Introducer


class Operations:
    """The operations of a fleet, in the coordinator's loop.

    An operation selects instances and begins to act on them in one step of the loop, so that nothing can change
    them in between. Containers are told of all changes before the operation returns its sentence. An operation that
    changes the fleet is logged with the id of the current request, or with a new id if there is none. ``module`` is a
    class, or text as :func:`~dimos_ros.coordinator.selection.fitting` takes it.
    """

    def __init__(self, launcher: Launcher, engine: Engine, announcer: StateAnnouncer, log: RequestLog) -> None:
        self._launcher = launcher
        self._engine = engine
        self._announcer = announcer
        self._log = log

    @classmethod
    async def open(
        cls,
        server: ForkServer,
        settings: Settings,
        directory: Directory,
        *,
        publish: Callable[[list[Record]], None],
        say: Callable[[str], None],
        on_finished: Callable[[str], None],
        introducer: Introducer | None = None,
    ) -> Operations:
        """Return the operations of a new fleet, which has no instances yet.

        ``publish`` is called with all records after each change, ``say`` with each line for the log, and
        ``on_finished`` with the summary of a module that finishes the job.
        """
        launcher = await Launcher.open(server)
        log = RequestLog(say)
        engine = Engine(
            launcher,
            settings,
            on_change=lambda: announcer.changed(),
            on_progress=log.say,
            on_finished=on_finished,
            introducer=introducer,
        )
        announcer = StateAnnouncer(engine, directory, publish)
        return cls(launcher, engine, announcer, log)

    async def close(self) -> None:
        """Take down all instances, consumers before providers, and end all processes."""
        await self._engine.stop()
        await self._launcher.close()

    # ------------------------------------------------------------------------------------------------ look up

    async def records(
        self, module: type[Declared] | str = "", namespace: str | None = None, name: str = "", *, one: bool = False
    ) -> list[Record]:
        """Return the records of the instances that fit, sorted by unique id; without arguments, all records.

        A namespace alone selects the instances in it and below it. With ``one``, exactly one instance has to fit.
        Raises InvalidNameError, InstanceNotFoundError, AmbiguousInstanceError.
        """
        self._announcer.catch_up()
        found = self._instances()
        if one:
            found = [select(found, namespace, _text(module), name)]
        elif module or name:
            found = fitting(found, namespace, _text(module), name)
        elif namespace:
            _, found = select_namespace(found, namespace)
        records = [self._engine.records[instance.key] for instance in found]
        return sorted(records, key=lambda record: record.unique_id)

    # --------------------------------------------------------------------------------------------------- load

    async def load_source(self, source: BlueprintSource) -> str:
        """Add the modules of a blueprint to the running fleet; return a sentence that says what was done.

        The blueprint is imported and planned in a child process. Raises BlueprintError or ClassNotFoundError before
        anything starts, BuildError, which names each module that failed.
        """
        with self._request("load", _text_of(source)) as done:
            started = time.monotonic()
            asked = PlanSource(source, tuple(self._instances()))
            plan = await plan_in_child(self._launcher, asked, self._settings.compile_timeout)
            return done(_loaded(await self._engine.deploy(plan), started))

    async def load_plan(self, plan: Plan) -> str:
        """Add the instances of a plan to the running fleet; return a sentence that says what was done.

        Raises BlueprintError if a full name is taken, BuildError, which names each module that failed.
        """
        with self._request("load", listed(str(instance) for instance in plan)) as done:
            started = time.monotonic()
            return done(_loaded(await self._engine.deploy(plan), started))

    async def load_request(self, request: LoadRequest) -> Record:
        """Add one node to the running fleet, from a load request such as ``ros2 component load`` makes.

        Raises ClassNotFoundError, BlueprintError, BuildError.
        """
        with self._request("load", as_word(request.plugin_name), as_word(request.node_name)) as done:
            started = time.monotonic()
            asked = PlanLoadRequest(request, tuple(self._instances()))
            plan = await plan_in_child(self._launcher, asked, self._settings.compile_timeout)
            (record,) = await self._engine.deploy(plan)
            done(_loaded([record], started))
            return record

    # ------------------------------------------------------------------------------------- restart and unload

    async def restart_module(
        self,
        module: type[Declared] | str,
        namespace: str | None = None,
        name: str = "",
        *,
        reload_source: bool = True,
    ) -> str:
        """Restart one module in place; return a sentence that says what was done.

        With ``reload_source``, a new process first imports the current source of the module's Python file, and of
        the files of its package that it imports. If that fails, the old module runs on. Raises
        InstanceNotFoundError, AmbiguousInstanceError, ModuleFailedError.
        """
        with self._request("restart", *_words(module, namespace, name), _option(reload_source)) as done:
            instance = select(self._instances(), namespace, _text(module), name)
            return done(await self._engine.restart(instance.key, reload_source))

    async def unload_module(self, module: type[Declared] | str, namespace: str | None = None, name: str = "") -> str:
        """Stop one module and remove it from the fleet; return a sentence that says what was done.

        Raises InstanceNotFoundError, AmbiguousInstanceError.
        """
        with self._request("unload", *_words(module, namespace, name)) as done:
            instance = select(self._instances(), namespace, _text(module), name)
            return done(await self._engine.unload(instance.key))

    async def unload_id(self, unique_id: int) -> str:
        """Unload the module with this :attr:`Record.unique_id`; return a sentence that says what was done.

        Raises InstanceNotFoundError.
        """
        with self._request("unload", f"unique_id {unique_id}") as done:
            record = next((r for r in self._engine.records.values() if r.unique_id == unique_id), None)
            if record is None:
                raise InstanceNotFoundError(f"No node found with unique_id: {unique_id}")
            return done(await self._engine.unload(record.key))

    async def restart_namespace(self, namespace: str | None, *, reload_source: bool = True) -> str:
        """Restart all modules in a namespace and below it; return a sentence that says what was done.

        Raises InstanceNotFoundError, AmbiguousInstanceError, ModuleFailedError naming each that failed.
        """
        with self._request("restart", *_words("", namespace), _option(reload_source)) as done:
            normal, found = select_namespace(self._instances(), namespace)
            return done(await self._engine.restart_all(normal, [one.key for one in found], reload_source))

    async def unload_namespace(self, namespace: str | None) -> str:
        """Unload all modules in a namespace and below it; return a sentence that says what was done.

        Raises InstanceNotFoundError, AmbiguousInstanceError, ModuleFailedError naming each that failed.
        """
        with self._request("unload", *_words("", namespace)) as done:
            normal, found = select_namespace(self._instances(), namespace)
            return done(await self._engine.unload_all(normal, [one.key for one in found]))

    # ------------------------------------------------------------------------------------------------ helpers

    @contextlib.contextmanager
    def _request(self, *words: str) -> Iterator[Callable[[str], str]]:
        """Log a request as a user would type it, and its answer; announce changes before the answer is returned."""
        try:
            with self._log.request(" ".join(filter(None, words))) as done:
                yield done
        finally:
            self._announcer.catch_up()

    @property
    def _settings(self) -> Settings:
        return self._engine.settings

    def _instances(self) -> list[Instance]:
        return [record.instance for record in self._engine.records.values()]


def _text(module: type[Declared] | str | None) -> str:
    return path_of(module) if isinstance(module, type) else module or ""


def _words(module: type[Declared] | str, namespace: str | None, name: str = "") -> list[str]:
    words = [as_word(namespace or ""), as_word(_text(module))]
    return [*words, f"--name {as_word(name)}"] if name else words


def _option(reload_source: bool) -> str:
    return "" if reload_source else "--no-reload"


def _text_of(source: BlueprintSource) -> str:
    what = as_word(source.blueprint or source.config)
    return f"{what} --namespace {source.namespace}" if source.namespace else what


def _loaded(records: Sequence[Record], started: float) -> str:
    """Return the sentence that says which instances were loaded and, with ``fail_fast`` off, which failed."""
    up = [str(record) for record in records if record.is_up]
    failed = [f"{record}: {record.last_error}" for record in records if not record.is_up]
    text = f"{len(up)} of {len(records)} loaded in {time.monotonic() - started:.3f} s: {listed(up)}"
    return f"{text}; failed: {'; '.join(failed)}" if failed else text
