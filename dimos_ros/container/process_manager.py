"""The nodes of a container that runs each of them in a process of its own."""

from __future__ import annotations

import asyncio
import concurrent.futures
import signal
import threading
import time
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from composition_interfaces.srv import LoadNode
from rclpy.context import Context
from rclpy.logging import get_logger

from dimos_ros.container.class_lookup import ClassLookup
from dimos_ros.container.executors import sound_kind
from dimos_ros.container.load_options import LoadOptions
from dimos_ros.container.loaded_node import Unloaded
from dimos_ros.container.node_process import TARGET, as_text
from dimos_ros.container.node_register import NodeRegister
from dimos_ros.exceptions import ClassNotFoundError, ContainerDiedError, DimosError, LoadRefusedError
from dimos_ros.processes.launcher import ChildProcess, Launcher
from dimos_ros.processes.server_process import ForkServer

T = TypeVar("T")

EXIT_SECONDS = 2.0
"""How long the process of a node that was unloaded may take to end."""
QUICK_SECONDS = 10.0
"""A process that ends sooner than this after its start counts as one that cannot run."""
MAX_QUICK_ENDS = 3


@dataclass
class _Node:
    """A node's process, and what it was loaded with."""

    name: str
    process: ChildProcess
    request: LoadNode.Request
    started: float
    quick_ends: int = 0
    is_ending: bool = False


class ProcessManager:
    """As :class:`ComponentManager`, with a forked process for each node. All methods are thread-safe.

    If ``respawn``, a node whose process ends unasked is loaded again, under its id.
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
        self._nodes: dict[int, _Node] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="processes", daemon=True)
        self._thread.start()
        self._launcher = self._do(Launcher.open(ForkServer()))

    # ---------------------------------------------------------------------------------------------- loading

    def load(self, request: LoadNode.Request, unique_id: int | None = None) -> LoadNode.Response:
        """Construct a node in a new process. Blocks as long as the constructor does; never raises."""
        try:
            options = LoadOptions.from_request(request)
            expected = options.full_name() if options.node_namespace else ""
            number = self.register.begin(expected, unique_id)
            node = self._load(request, number)
        except Exception as error:
            text = str(error) if isinstance(error, DimosError) else f"{type(error).__name__}: {error}"
            return LoadNode.Response(success=False, error_message=text)
        return LoadNode.Response(success=True, full_node_name=node.name, unique_id=number)

    def _load(self, request: LoadNode.Request, unique_id: int, quick_ends: int = 0) -> _Node:
        process: ChildProcess | None = None
        try:
            process = self._do(self._fork())
            taken = {name: owner for name, owner in self.register.taken().items() if owner != unique_id}
            try:
                name = self._ask(process, "load", None, request=as_text(request), unique_id=unique_id, taken=taken)
            except ContainerDiedError:
                raise DimosError(
                    f"Component constructor threw an exception: its process {self._do(_how_ended(process))}"
                ) from None
            self.register.claim(name, unique_id)
            node = _Node(name, process, request, time.monotonic(), quick_ends)
            with self._lock:
                self._nodes[unique_id] = node
            self.register.ready(unique_id)
            self._loop.call_soon_threadsafe(self._watch, unique_id, node)
        except BaseException as error:
            self.register.release(unique_id, refused=isinstance(error, (ClassNotFoundError, LoadRefusedError)))
            if process is not None:
                self._do(self._end(process))
            raise
        if self.register.is_closed:
            self.unload(unique_id)
            raise LoadRefusedError("the container closed while the node was constructed")
        return node

    async def _fork(self) -> ChildProcess:
        return await self._launcher.fork(
            TARGET,
            "node",
            lambda event, data: None,
            executor=self._executor,
            threads=self.threads,
            allowed_packages=list(self.lookup.allowed_packages),
            context_arguments=self._context_arguments,
            container_arguments=self._container_arguments,
        )

    # ---------------------------------------------------------------------------------------------- the rest

    def unload(self, unique_id: int, timeout: float = 5.0) -> Unloaded:
        """Take a node down and end its process; by force if it does not end by itself within ``timeout`` seconds."""
        with self._lock:
            node = self._nodes.get(unique_id)
            if node is not None:
                node.is_ending = True
        if node is None:
            found = ", ".join(f"{number} {name}" for number, name in self.list())
            return Unloaded(False, f"No node found with unique_id: {unique_id}; this container has {found or 'none'}")
        forced, detail = False, ""
        try:
            answer = self._ask(node.process, "unload", timeout, unique_id=unique_id, timeout=timeout * 0.8)
            forced, detail = answer["forced"], answer["detail"]
        except ContainerDiedError:
            detail = f"its process {self._do(_how_ended(node.process))}"
        except DimosError as error:
            forced, detail = True, str(error)
        if self._do(self._end(node.process)):
            forced, detail = True, "; ".join(text for text in (detail, "its process was killed") if text)
        self._forget(unique_id)
        return Unloaded(True, forced=forced, detail=detail)

    def list(self) -> list[tuple[int, str]]:
        """Ids and full names of the nodes, by id."""
        with self._lock:
            return sorted((unique_id, node.name) for unique_id, node in self._nodes.items())

    def process_id(self, unique_id: int) -> int:
        """The process that a node runs in; 0 where there is none."""
        with self._lock:
            node = self._nodes.get(unique_id)
        return node.process.pid if node is not None else 0

    def close(self, timeout: float = 5.0) -> None:
        """Take all nodes down, at once and within ``timeout`` seconds, and load no more."""
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
        self._do(self._launcher.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout)

    # ---------------------------------------------------------------------------------------------- processes

    def _watch(self, unique_id: int, node: _Node) -> None:
        node.process.exited.add_done_callback(
            lambda exited: threading.Thread(target=self._ended, args=(unique_id, node), daemon=True).start()
        )

    def _ended(self, unique_id: int, node: _Node) -> None:
        """A node's process is gone: if nobody asked for it, say so, and load the node again if that is wanted."""
        with self._lock:
            if node.is_ending or self._nodes.get(unique_id) is not node:
                return
        how = self._do(_how_ended(node.process))
        self._logger.error(f"{node.name}: its process {node.process.pid} {how}; the others go on")
        self._forget(unique_id)
        quick_ends = node.quick_ends + 1 if time.monotonic() - node.started < QUICK_SECONDS else 0
        if not self._respawn or self.register.is_closed:
            return
        if quick_ends >= MAX_QUICK_ENDS:
            self._logger.error(f"{node.name} is not loaded again: its process ended {quick_ends} times soon after")
            return
        try:
            self.register.begin(node.name, unique_id)
            self._load(node.request, unique_id, quick_ends)
            self._logger.info(f"{node.name} was loaded again")
        except Exception as error:
            self._logger.error(f"{node.name} could not be loaded again: {error}")

    def _forget(self, unique_id: int) -> None:
        with self._lock:
            self._nodes.pop(unique_id, None)
        self.register.release(unique_id)

    async def _end(self, process: ChildProcess) -> bool:
        """End a process; whether it had to be killed."""
        process.channel.tell("stop")
        if await process.wait(EXIT_SECONDS):
            return False
        process.send_signal(signal.SIGKILL)
        await process.wait(EXIT_SECONDS)
        return True

    def _ask(self, process: ChildProcess, operation: str, limit: float | None, /, **arguments: Any) -> Any:
        return self._do(process.channel.ask(operation, limit, **arguments))

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        """What a coroutine gives in the loop that the processes belong to."""
        future: concurrent.futures.Future[T] = asyncio.run_coroutine_threadsafe(work, self._loop)
        return future.result()


async def _how_ended(process: ChildProcess) -> str:
    """How a process ended, for people."""
    if not await process.wait(EXIT_SECONDS):
        return "stopped answering"
    code = process.exited.result()
    if code < 0:
        return f"was ended by {signal.Signals(-code).name}"
    return f"ended with exit code {code}"
