"""The nodes of a container that runs each node in a process of its own."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

from rclpy.context import Context
from rclpy.logging import get_logger

from dimos_ros.container.class_lookup import ClassLookup
from dimos_ros.container.executors import sound_kind
from dimos_ros.container.load_options import LoadOptions
from dimos_ros.container.node_process import TARGET
from dimos_ros.container.node_register import NodeRegister
from dimos_ros.container.protocol import PROTOCOL, Load, Stop, Unload, Unloaded
from dimos_ros.exceptions import (
    ClassNotFoundError,
    ContainerDiedError,
    DimosError,
    LoadRefusedError,
    ModuleFailedError,
)
from dimos_ros.loading.load_request import LoadRequest
from dimos_ros.processes.launcher import ChildProcess, Exit, Launcher
from dimos_ros.processes.loop_thread import LoopThread
from dimos_ros.processes.message import Event
from dimos_ros.processes.server_process import ForkServer
from dimos_ros.processes.supervisor import RespawnPolicy, Supervisor, how_it_ended

PRELOAD = "dimos_ros.container.preload:preload"

EXIT_SECONDS = 2.0
"""How long a node's process may take to end after the node was unloaded."""
RESPAWN = RespawnPolicy(limit=2, forgotten_after=10.0)
"""The respawn rule: a node is given up when its process ends three times, each within 10 s of its start."""


@dataclass
class ProcessNode:
    """A node's process and load request. ``ends`` is how many of the node's processes ended in a row."""

    unique_id: int
    name: str
    process: ChildProcess
    request: LoadRequest
    started: float
    ends: int = 0
    is_ending: bool = False


class ProcessManager:
    """A manager like :class:`ComponentManager`, with a forked process for each node. All methods are thread-safe.

    With ``respawn``, a node is loaded again under its id when its process ends without being asked to.
    """

    def __init__(
        self,
        context: Context,
        *,
        executor: str = "events",
        threads: int | None = None,
        context_arguments: Sequence[str] = (),
        container_arguments: Sequence[str] = (),
        respawn: bool = False,
    ) -> None:
        self.register = NodeRegister()
        self.threads = threads
        self.lookup = ClassLookup()
        self._executor = sound_kind(executor, context)
        self._context_arguments = list(context_arguments)
        self._container_arguments = list(container_arguments)
        self._respawn = respawn
        self._logger = get_logger("container")
        self._lock = threading.Lock()
        self._nodes: dict[int, ProcessNode] = {}
        self._loop = LoopThread("the container")
        self._launcher = self._loop.run(Launcher.open(ForkServer(PRELOAD)))
        self._supervisor = Supervisor(self._launcher, TARGET, PROTOCOL, Stop())

    # ---------------------------------------------------------------------------------------------- loading

    def load(self, request: LoadRequest, unique_id: int | None = None) -> ProcessNode:
        """Construct a node in a new process. Blocks until the constructor returns.

        Raises the errors of :meth:`ComponentManager.load`, and ContainerDiedError if no process can be started.
        """
        expected = LoadOptions.of(request).certain_name
        return self._load(request, self.register.begin(expected, unique_id))

    def _load(self, request: LoadRequest, unique_id: int, ends: int = 0) -> ProcessNode:
        process: ChildProcess | None = None
        try:
            process = self._loop.run(self._start(unique_id))
            taken = {name: owner for name, owner in self.register.taken().items() if owner != unique_id}
            try:
                loaded = self._loop.run(process.channel.ask(Load(request, unique_id, taken)))
            except ContainerDiedError:
                how = self._loop.run(how_it_ended(process, EXIT_SECONDS))
                text = f"Component constructor threw an exception: its process {how}"
                raise ModuleFailedError(text) from None
            self.register.claim(loaded.full_node_name, unique_id)
            node = ProcessNode(unique_id, loaded.full_node_name, process, request, time.monotonic(), ends)
            with self._lock:
                self._nodes[unique_id] = node
            self.register.ready(unique_id)
        except BaseException as error:
            self.register.release(unique_id, refused=isinstance(error, (ClassNotFoundError, LoadRefusedError)))
            if process is not None:
                self._loop.run(self._supervisor.end(process, EXIT_SECONDS))
            raise
        if self.register.is_closed:
            self.unload(unique_id)
            raise LoadRefusedError("the container closed while the node was constructed")
        if not process.is_alive:
            self._ended(unique_id, process, process.exited.result())
        return node

    async def _start(self, unique_id: int) -> ChildProcess:
        def exited(process: ChildProcess, how: Exit) -> None:
            threading.Thread(target=self._ended, args=(unique_id, process, how), daemon=True).start()

        return await self._supervisor.start(
            f"node {unique_id}",
            _ignore,
            exited,
            executor=self._executor,
            threads=self.threads,
            allowed_packages=list(self.lookup.allowed_packages),
            context_arguments=self._context_arguments,
            container_arguments=self._container_arguments,
        )

    # ---------------------------------------------------------------------------------------------- the rest

    def unload(self, unique_id: int, timeout: float = 5.0) -> Unloaded:
        """Take a node down and end its process. Use force if it does not end within ``timeout`` seconds."""
        with self._lock:
            node = self._nodes.get(unique_id)
            if node is not None:
                node.is_ending = True
        if node is None:
            found = ", ".join(f"{number} {name}" for number, name in self.list())
            return Unloaded(False, f"No node found with unique_id: {unique_id}; this container has {found or 'none'}")
        forced, detail = False, ""
        try:
            request = Unload(unique_id, node.name, timeout * 0.8)
            answer = self._loop.run(node.process.channel.ask(request, timeout))
            forced, detail = answer.forced, answer.detail
        except ContainerDiedError:
            detail = f"its process {self._loop.run(how_it_ended(node.process, EXIT_SECONDS))}"
        except DimosError as error:
            forced, detail = True, str(error)
        if self._loop.run(self._supervisor.end(node.process, EXIT_SECONDS)):
            forced, detail = True, "; ".join(text for text in (detail, "its process was killed") if text)
        self._forget(unique_id)
        return Unloaded(True, forced=forced, detail=detail)

    def list(self) -> list[tuple[int, str]]:
        """Return the ids and full names of the nodes, sorted by id."""
        with self._lock:
            return sorted((unique_id, node.name) for unique_id, node in self._nodes.items())

    def close(self, timeout: float = 5.0) -> None:
        """Take all nodes down at the same time, within ``timeout`` seconds, and refuse to load more."""
        self.register.close()
        with self._lock:
            unique_ids = list(self._nodes)
        threads = [
            threading.Thread(target=self.unload, args=(unique_id, timeout), name="unload", daemon=True)
            for unique_id in unique_ids
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout + EXIT_SECONDS)
        self._loop.run(self._launcher.close())
        self._loop.close()

    # ---------------------------------------------------------------------------------------------- processes

    def _ended(self, unique_id: int, process: ChildProcess, how: Exit) -> None:
        """Log that a node's process ended by itself. With ``respawn``, load the node again."""
        with self._lock:
            node = self._nodes.get(unique_id)
            if node is None or node.is_ending or node.process is not process:
                return
        self._logger.error(f"{node.name}: its process {process.pid} {how}; the container's other nodes go on")
        self._forget(unique_id)
        if not self._respawn or self.register.is_closed:
            return
        ends = RESPAWN.ends_in_a_row(node.ends, time.monotonic() - node.started)
        delay = RESPAWN.delay_after(ends)
        if delay is None:
            self._logger.error(f"{node.name} is not loaded again: its process ended {ends} times soon after its start")
            return
        time.sleep(delay)
        try:
            self.register.begin(node.name, unique_id)
            self._load(node.request, unique_id, ends)
            self._logger.info(f"{node.name} was loaded again")
        except Exception as error:
            self._logger.error(f"{node.name} could not be loaded again: {error}")

    def _forget(self, unique_id: int) -> None:
        with self._lock:
            self._nodes.pop(unique_id, None)
        self.register.release(unique_id)


def _ignore(event: Event) -> None:
    """Do nothing. A node's process writes its own log, and the container has no owner to inform."""
