"""``ModuleCoordinator``: the coordinator as a Python object."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Coroutine, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

from dimos_ros.blueprint.blueprint import Blueprint, as_blueprint, autoconnect
from dimos_ros.blueprint.plan import plan
from dimos_ros.blueprint.source import BlueprintSource
from dimos_ros.calls.directory import Directory
from dimos_ros.coordinator import PRELOAD
from dimos_ros.coordinator.coordinator_node import CoordinatorNode
from dimos_ros.coordinator.operations import Operations
from dimos_ros.coordinator.services import Services
from dimos_ros.coordinator.settings import Settings
from dimos_ros.declaration.declared import Declared
from dimos_ros.exceptions import BlueprintError, CoordinatorStoppedError
from dimos_ros.naming.instance_key import InstanceKey
from dimos_ros.naming.names import normalize_namespace
from dimos_ros.processes.loop_thread import LoopThread
from dimos_ros.processes.server_process import ForkServer
from dimos_ros.processes.stop_signals import StopSignals
from dimos_ros.ros.log_bridge import log_to_ros

if TYPE_CHECKING:
    from dimos_ros.calls.proxy import Proxy

T = TypeVar("T")
P = ParamSpec("P")


def blocking(
    operation: Callable[Concatenate[Operations, P], Coroutine[Any, Any, T]],
) -> Callable[Concatenate[ModuleCoordinator, P], T]:
    """Return a method of ModuleCoordinator that runs an operation and blocks until it is done."""

    @functools.wraps(operation)
    def method(self: ModuleCoordinator, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self._run(operation(self._operations, *args, **kwargs))

    return method


class ModuleCoordinator:
    """Coordinator of a fleet: it runs the modules of blueprints in container processes, restarts and unloads them.

    ::

        with ModuleCoordinator.build(fleet) as coordinator:
            coordinator.get_instance(Mapper, namespace="robot1").clear()
            coordinator.loop()

    ``node_name``, ``namespace`` and ``arguments`` (ROS arguments) are for the coordinator's node. ``settings`` are
    the fields of :class:`Settings`. All methods may be called from any thread, and block until their work is done.
    After :meth:`stop` they raise CoordinatorStoppedError. Only containers run user code.
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
        self._operations = self._loop.run(
            Operations.open(
                server,
                self.settings,
                self.directory,
                publish=self._node.publish,
                say=self._node.say,
                on_finished=self._finish,
                introducer=self._node.introducer,
            )
        )
        self._services = Services(self._node.node, self._operations, self._run, self._node.say)

    @classmethod
    def build(cls, blueprint: Blueprint | type[Declared] | str, **options: Any) -> ModuleCoordinator:
        """Return a coordinator that has configured, activated and counted all modules of a blueprint.

        ``blueprint`` may be an import path. Raises BlueprintError before anything starts. Raises BuildError, which
        names each module that failed and why, after all modules were taken down again.
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
        """Start one module and return a proxy of it."""
        one = as_blueprint(module, name, parameters)
        if isinstance(module, Blueprint) and (name or parameters):
            raise BlueprintError(
                "deploy takes a name and parameters only for a class; a blueprint gets them where it is made"
            )
        (proxy,) = self.deploy_parallel(one.namespace(namespace) if normalize_namespace(namespace) else one)
        return proxy

    def deploy_parallel(self, *blueprints: Blueprint | type[Declared]) -> list[Any]:
        """Start several modules at once and return a proxy of each instance, in the order of the blueprints."""
        parts = [as_blueprint(b) for b in blueprints]
        self._load(autoconnect(*parts))
        return [self._proxy(entry.key, entry.module) for part in parts for entry in part if entry.enabled]

    def load_blueprint(
        self,
        blueprint: Blueprint | type[Declared] | str,
        namespace: str = "",
        parameters: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> str:
        """Add the modules of a blueprint to the running fleet; return a sentence that says what was done.

        An import path is imported in a separate process. A blueprint that conflicts with the running fleet is
        refused before anything starts. Raises BlueprintError, ClassNotFoundError, BuildError.
        """
        if isinstance(blueprint, str):
            return self.load_source(
                BlueprintSource(blueprint=blueprint, namespace=namespace, parameters=parameters or {})
            )
        one = as_blueprint(blueprint)
        for module, values in (parameters or {}).items():
            one = one.with_parameters(module, **values)
        return self._load(one.namespace(namespace) if normalize_namespace(namespace) else one)

    # ------------------------------------------------------------------------------------------ operations

    load_source = blocking(Operations.load_source)
    restart_module = blocking(Operations.restart_module)
    unload_module = blocking(Operations.unload_module)
    restart_namespace = blocking(Operations.restart_namespace)
    unload_namespace = blocking(Operations.unload_namespace)
    records = blocking(Operations.records)

    def get_instance(self, module: type[Declared] | str, namespace: str | None = None, name: str = "") -> Any:
        """Return a proxy of the one running instance that fits, on which its ``@rpc`` methods can be called.

        Raises InstanceNotFoundError, AmbiguousInstanceError.
        """
        (record,) = self.records(module, namespace, name, one=True)
        return self._proxy(record.key, module if isinstance(module, type) else None)

    @property
    def node(self) -> CoordinatorNode:
        """The coordinator's node."""
        return self._node

    # -------------------------------------------------------------------------------------------- run and end

    def loop(self) -> str:
        """Wait for SIGINT, for SIGTERM, or for a module that finishes the job; then :meth:`stop`.

        Returns the summary of that module, or "" without one. Signals end the wait only in the main thread.
        """
        with StopSignals() as signals:
            while not (signals.wait(0.1) or self._finished.is_set() or self._stopped):
                pass
            self.stop()
        return self._summary

    @property
    def is_finished(self) -> bool:
        """Whether a module has finished the job of the fleet."""
        return self._finished.is_set()

    @property
    def summary(self) -> str:
        """The summary by the module that finished the job; "" before."""
        return self._summary

    def stop(self) -> None:
        """Take all modules down in reverse order and end all processes. A second call does nothing."""
        with self._stop_lock:
            if self._stopped:
                return
            self._stopped = True
            try:
                self._loop.run(self._operations.close())
            finally:
                self._close_proxies()
                self._loop.close()
                self._services.close()
                self._node.close()

    def __enter__(self) -> ModuleCoordinator:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    # ------------------------------------------------------------------------------------------------ helpers

    def _run(self, operation: Coroutine[Any, Any, T]) -> T:
        if self._stopped:
            operation.close()
            raise CoordinatorStoppedError("the coordinator has stopped")
        return self._loop.run(operation)

    def _load(self, blueprint: Blueprint) -> str:
        running = [record.instance for record in self.records()]
        return self._run(self._operations.load_plan(plan(blueprint, running)))

    def _finish(self, summary: str) -> None:
        if not self._finished.is_set():
            self._summary = summary
            self._finished.set()

    def _proxy(self, key: InstanceKey, module: type[Declared] | None = None) -> Any:
        # Imported for the first proxy only: pydantic would delay the start of a fleet by a tenth of a second.
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
