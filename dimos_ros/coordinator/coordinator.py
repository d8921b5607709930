"""``ModuleCoordinator``: the coordinator as a Python object."""

from __future__ import annotations

import threading
import time
from collections.abc import Coroutine, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from dimos_ros.blueprint.blueprint import Blueprint, as_blueprint, autoconnect
from dimos_ros.blueprint.plan import Plan, plan
from dimos_ros.blueprint.source import BlueprintSource
from dimos_ros.calls.directory import Directory
from dimos_ros.coordinator.announcer import StateAnnouncer
from dimos_ros.coordinator.coordinator_node import CoordinatorNode
from dimos_ros.coordinator.engine import Engine
from dimos_ros.coordinator.plan_in_child import PlanLoadRequest, PlanSource, plan_in_child
from dimos_ros.coordinator.preload import PRELOAD
from dimos_ros.coordinator.records import Record
from dimos_ros.coordinator.selection import select, select_namespace
from dimos_ros.coordinator.settings import Settings
from dimos_ros.declaration.declared import Declared
from dimos_ros.exceptions import BlueprintError, CoordinatorStoppedError
from dimos_ros.loading.load_request import LoadRequest
from dimos_ros.naming.import_path import path_of
from dimos_ros.naming.instance_key import InstanceKey
from dimos_ros.processes.launcher import Launcher
from dimos_ros.processes.loop_thread import LoopThread
from dimos_ros.processes.server_process import ForkServer
from dimos_ros.processes.stop_signals import StopSignals
from dimos_ros.ros.log_bridge import log_to_ros

if TYPE_CHECKING:
    from dimos_ros.calls.proxy import Proxy

T = TypeVar("T")


class ModuleCoordinator:
    """Runs the modules of blueprints in container processes, and restarts and unloads them.

    ::

        with ModuleCoordinator.build(fleet) as coordinator:
            coordinator.get_instance(Mapper, namespace="robot1").clear()
            coordinator.loop()

    ``node_name``, ``namespace`` and ``arguments`` (ROS arguments) are those of its node; ``settings``
    are the fields of :class:`Settings`. All methods may be called from any thread and block until what
    they do is done. User code is run in the containers alone.
    """

    def __init__(
        self,
        *,
        node_name: str = "coordinator",
        namespace: str = "",
        arguments: list[str] | None = None,
        node: CoordinatorNode | None = None,
        server: ForkServer | None = None,
        **settings: Any,
    ) -> None:
        self.settings = Settings.of(**settings)
        server = server or ForkServer(PRELOAD)
        self._node = node or CoordinatorNode(node_name, namespace, arguments)
        log_to_ros(self._node.node.get_logger().name)
        self.directory = Directory()
        self._finished = threading.Event()
        self._summary = ""
        self._proxies: dict[tuple[InstanceKey, type[Declared] | None], Proxy] = {}
        self._stop_lock = threading.Lock()
        self._stopped = False
        self._loop = LoopThread("the coordinator")
        self._launcher, self._engine, self._announcer = self._loop.run(self._open(server))
        self._node.serve(self)

    @classmethod
    def build(cls, blueprint: Blueprint | type[Declared] | str, **options: Any) -> ModuleCoordinator:
        """A coordinator with everything of a blueprint up: configured, activated, counted.

        ``blueprint`` may be an import path. Raises BlueprintError before anything starts, BuildError naming
        each module that failed and why; everything is down again then.
        """
        coordinator = cls(**options)
        try:
            coordinator.load_blueprint(blueprint)
        except BaseException:
            coordinator.stop()
            raise
        return coordinator

    # ------------------------------------------------------------------------------------------------ deploy

    def deploy(
        self, module: type[Declared] | Blueprint, name: str | None = None, namespace: str = "", **parameters: Any
    ) -> Any:
        """Bring up one module and return a proxy of it."""
        one = as_blueprint(module, name, parameters)
        if isinstance(module, Blueprint) and (name or parameters):
            raise BlueprintError("a name and parameters are given where the blueprint is made")
        (proxy,) = self.deploy_parallel(one.namespace(namespace) if namespace.strip("/") else one)
        return proxy

    def deploy_parallel(self, *blueprints: Blueprint | type[Declared]) -> list[Any]:
        """Bring up several at once and return a proxy of each instance, in the order of the blueprints."""
        parts = [as_blueprint(b) for b in blueprints]
        self._deploy_planned(plan(autoconnect(*parts), self._running()))
        return [self._proxy(entry.key, entry.module) for part in parts for entry in part if entry.enabled]

    def load_blueprint(
        self,
        blueprint: Blueprint | type[Declared] | str,
        namespace: str = "",
        parameters: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> str:
        """Add the modules of a blueprint to what runs; what was done, in words.

        An import path is imported in a process of its own. Conflicts with what runs are refused before
        anything starts. Raises BlueprintError, ClassNotFoundError, BuildError.
        """
        if isinstance(blueprint, str):
            return self.load_source(
                BlueprintSource(blueprint=blueprint, namespace=namespace.strip("/"), parameters=parameters or {})
            )
        one = as_blueprint(blueprint)
        for module, values in (parameters or {}).items():
            one = one.with_parameters(module, **values)
        if namespace.strip("/"):
            one = one.namespace(namespace)
        return self._deploy_planned(plan(one, self._running()))

    def load_source(self, source: BlueprintSource) -> str:
        """As :meth:`load_blueprint`, for all that a source can say."""

        async def load() -> str:
            started = time.monotonic()
            asked = PlanSource(source, tuple(self._instances()))
            planned = await plan_in_child(self._launcher, asked, self.settings.compile_timeout)
            return _loaded(await self._engine.deploy(planned), started)

        return self._await(load())

    def load_request(self, request: LoadRequest) -> Record:
        """Bring up one node from a load request, as ``ros2 component load`` makes it."""

        async def load() -> Record:
            asked = PlanLoadRequest(request, tuple(self._instances()))
            planned = await plan_in_child(self._launcher, asked, self.settings.compile_timeout)
            (record,) = await self._engine.deploy(planned)
            return record

        return self._await(load())

    # ------------------------------------------------------------------------------------- restart and unload

    def restart_module(
        self,
        module: type[Declared] | str,
        namespace: str | None = None,
        name: str = "",
        *,
        reload_source: bool = True,
    ) -> str:
        """Restart one module in place; what was done, in words.

        With ``reload_source`` its Python module, and those of its package that it imports, are read again in a
        fresh process first, and nothing else happens if that fails. Raises InstanceNotFoundError,
        AmbiguousInstanceError, ModuleFailedError.
        """
        return self._await(self._engine.restart(self.select(module, namespace, name), reload_source))

    def restart_module_by_class_name(
        self, class_name: str, namespace: str | None = None, name: str = "", *, reload_source: bool = True
    ) -> str:
        """As :meth:`restart_module`, by the class's name; namespace None where it runs in one only."""
        return self.restart_module(class_name, namespace, name, reload_source=reload_source)

    def unload_module(self, module: type[Declared] | str, namespace: str | None = None, name: str = "") -> str:
        """Take one module down and out of the desired state; what was done, in words."""
        return self._await(self._engine.unload(self.select(module, namespace, name)))

    def restart_namespace(self, namespace: str | None, *, reload_source: bool = True) -> str:
        """Restart all modules of a namespace and below it; what was done, in words."""
        normal, keys = select_namespace(self._candidates(), namespace)
        return self._await(self._engine.restart_all(normal, keys, reload_source))

    def unload_namespace(self, namespace: str | None) -> str:
        """Take down all modules of a namespace and below it; what was done, in words."""
        normal, keys = select_namespace(self._candidates(), namespace)
        return self._await(self._engine.unload_all(normal, keys))

    def unload_id(self, unique_id: int) -> str | None:
        """Unload the instance of that id, as in :meth:`records`; None where there is none."""
        key = next((record.key for record in self.records() if record.unique_id == unique_id), None)
        return None if key is None else self._await(self._engine.unload(key))

    # ------------------------------------------------------------------------------------------------ look up

    def select(self, module: type[Declared] | str, namespace: str | None = None, name: str = "") -> InstanceKey:
        """The one running instance that is meant. Raises as :func:`selection.select`."""
        asked = path_of(module) if isinstance(module, type) else module
        return select(self._candidates(), namespace, asked, name)

    def get_instance(self, module: type[Declared] | str, namespace: str | None = None, name: str = "") -> Any:
        """A proxy of the one running instance that is meant: its ``@rpc`` methods can be called on it."""
        return self._proxy(self.select(module, namespace, name), module if isinstance(module, type) else None)

    def records(self) -> list[Record]:
        """All instances as they are now, by unique id."""
        return self._await(self._list())

    @property
    def node(self) -> CoordinatorNode:
        """The coordinator's node."""
        return self._node

    # -------------------------------------------------------------------------------------------- run and end

    def loop(self) -> str:
        """Wait until SIGINT, SIGTERM, or a module calls the job finished; then :meth:`stop`.

        Returns the module's summary, if it was that. Signals are noticed where the main thread calls.
        """
        with StopSignals() as signals:
            while not (signals.wait(0.1) or self._finished.is_set() or self._stopped):
                pass
            self.stop()
        return self._summary

    @property
    def is_finished(self) -> bool:
        """Whether a module called the job of the fleet finished."""
        return self._finished.is_set()

    @property
    def summary(self) -> str:
        """What the module that finished the job said."""
        return self._summary

    def stop(self) -> None:
        """Bring everything down in reverse order, leaving no process. May be called again."""
        with self._stop_lock:
            if self._stopped:
                return
            self._stopped = True
            try:
                self._loop.run(self._close())
            finally:
                self._close_proxies()
                self._loop.close()
                self._node.close()

    def __enter__(self) -> ModuleCoordinator:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    # ------------------------------------------------------------------------------------------- in the loop

    def _await(self, coroutine: Coroutine[Any, Any, T]) -> T:
        if self._stopped:
            coroutine.close()
            raise CoordinatorStoppedError("the coordinator has stopped")
        return self._loop.run(self._told(coroutine))

    async def _told(self, coroutine: Coroutine[Any, Any, T]) -> T:
        try:
            return await coroutine
        finally:
            self._announcer.catch_up()

    async def _open(self, server: ForkServer) -> tuple[Launcher, Engine, StateAnnouncer]:
        launcher = await Launcher.open(server)
        fleet = Engine(
            launcher,
            self.settings,
            on_change=lambda: announcer.changed(),
            on_progress=self._node.say,
            on_finished=self._finish,
            introducer=self._node.introducer,
        )
        announcer = StateAnnouncer(fleet, self.directory, self._node.publish)
        return launcher, fleet, announcer

    async def _close(self) -> None:
        await self._engine.stop()
        await self._launcher.close()

    async def _list(self) -> list[Record]:
        return sorted(self._engine.records.values(), key=lambda record: record.unique_id)

    def _finish(self, summary: str) -> None:
        if not self._finished.is_set():
            self._summary = summary
            self._finished.set()

    def _deploy_planned(self, planned: Plan) -> str:
        started = time.monotonic()
        return _loaded(self._await(self._engine.deploy(planned)), started)

    def _instances(self) -> list[Any]:
        return [record.instance for record in self._engine.records.values()]

    def _running(self) -> list[Any]:
        return [record.instance for record in self.records()]

    def _candidates(self) -> list[Any]:
        return [record.candidate for record in self.records()]

    def _proxy(self, key: InstanceKey, module: type[Declared] | None = None) -> Any:
        # Imported by who needs it: calls take pydantic, and a tenth of a second of a fleet's start.
        from dimos_ros.calls.proxy import Proxy

        asked = (key, module)
        if asked not in self._proxies:
            self._proxies[asked] = Proxy.to_instance(self._node.node, key.full_node_name, self.directory, module)
        return self._proxies[asked]

    def _close_proxies(self) -> None:
        if self._proxies:
            from dimos_ros.calls.proxy import close

            for proxy in self._proxies.values():
                close(proxy)


def _loaded(records: list[Record], started: float) -> str:
    """What came of a deployment, in words. With ``fail_fast`` off, some may have failed."""
    up = [record for record in records if record.is_up]
    failed = [f"{record}: {record.last_error}" for record in records if not record.is_up]
    shown = ", ".join(map(str, up[:12])) + (", …" if len(up) > 12 else "")
    text = f"{len(up)} of {len(records)} loaded in {time.monotonic() - started:.3f} s: {shown or 'none'}"
    return f"{text}; failed: {'; '.join(failed)}" if failed else text
