"""Messages between a parent and a child process: one JSON object a line, both ways.

The parent asks, in an asyncio loop; the child answers from threads, and tells of events unasked.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import itertools
import json
import socket
import threading
from collections.abc import Callable, Mapping
from typing import Any

from dimos_ros import exceptions
from dimos_ros.exceptions import ContainerDiedError, DimosError, RequestTimeoutError
from dimos_ros.processes.threads import CachedThreads

MAX_LINE = 1 << 28

Operation = Callable[..., Any]


class ParentEnd:
    """The parent's end. ``on_event(name, data)`` hears of what the child tells unasked."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        on_event: Callable[[str, dict[str, Any]], None],
    ) -> None:
        self._writer = writer
        self._on_event = on_event
        self._pending: dict[int, asyncio.Future[Any]] = {}
        self._ids = itertools.count(1)
        self._task = asyncio.ensure_future(self._read(reader))

    @classmethod
    async def open(cls, connection: socket.socket, on_event: Callable[[str, dict[str, Any]], None]) -> ParentEnd:
        """Take over the parent's half of a socket pair."""
        reader, writer = await asyncio.open_unix_connection(sock=connection, limit=MAX_LINE)
        return cls(reader, writer, on_event)

    async def ask(self, operation: str, timeout: float | None = None, /, **arguments: Any) -> Any:
        """The child's answer.

        Raises what the child raised (if of this package; else DimosError), RequestTimeoutError after
        ``timeout`` seconds, ContainerDiedError when the child is gone.
        """
        number = next(self._ids)
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._pending[number] = future
        try:
            self._write({"id": number, "do": operation, "with": arguments})
            return await asyncio.wait_for(future, timeout)
        except asyncio.TimeoutError:
            raise RequestTimeoutError(f"{operation}: no answer within {timeout:g} s") from None
        finally:
            self._pending.pop(number, None)

    def tell(self, operation: str, /, **arguments: Any) -> None:
        """Have the child do something, without an answer. Order is kept; a child that is gone is no error."""
        with contextlib.suppress(ContainerDiedError):
            self._write({"do": operation, "with": arguments})

    def close(self) -> None:
        """Close the connection, which tells the child to end."""
        self._task.cancel()
        self._writer.close()
        self._fail()

    def _write(self, message: dict[str, Any]) -> None:
        if self._writer.is_closing():
            raise ContainerDiedError("the process is gone")
        self._writer.write(json.dumps(message).encode() + b"\n")

    async def _read(self, reader: asyncio.StreamReader) -> None:
        with contextlib.suppress(OSError, ValueError):
            while line := await reader.readline():
                self._receive(json.loads(line))
        self._writer.close()
        self._fail()

    def _receive(self, message: dict[str, Any]) -> None:
        if "event" in message:
            self._on_event(message["event"], message["data"])
            return
        future = self._pending.get(message["id"])
        if future is None or future.done():
            return  # nobody waits any more
        if "error" in message:
            future.set_exception(_error_of(message["error"]))
        else:
            future.set_result(message["result"])

    def _fail(self) -> None:
        for future in self._pending.values():
            if not future.done():
                future.set_exception(ContainerDiedError("the process ended"))


class ChildEnd:
    """The child's end: runs each operation that is asked for in a thread of its own, and what it is told in
    order, between reading."""

    def __init__(self, connection: socket.socket, operations: Mapping[str, Operation]) -> None:
        self._connection = connection
        self._operations = operations
        self._threads = CachedThreads("control")
        self._lock = threading.Lock()

    def serve(self) -> None:
        """Serve until the parent is gone or :meth:`close` is called."""
        with self._connection.makefile("rb") as lines, contextlib.suppress(OSError):
            for line in lines:
                message = json.loads(line)
                if "id" in message:
                    self._threads.submit(functools.partial(self._answer, message))
                else:
                    self._operations[message["do"]](**message["with"])

    def tell(self, event: str, /, **data: Any) -> None:
        """Tell the parent of an event; without effect once it is gone."""
        self._write({"event": event, "data": data})

    def close(self) -> None:
        """End :meth:`serve`."""
        with contextlib.suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)

    def _answer(self, message: dict[str, Any]) -> None:
        try:
            result = self._operations[message["do"]](**message["with"])
            self._write({"id": message["id"], "result": result})
        except Exception as error:
            kinds = [kind.__name__ for kind in type(error).__mro__]
            self._write({"id": message["id"], "error": {"kinds": kinds, "text": str(error)}})

    def _write(self, message: dict[str, Any]) -> None:
        data = json.dumps(message).encode() + b"\n"
        with self._lock, contextlib.suppress(OSError):
            self._connection.sendall(data)


def _error_of(described: dict[str, Any]) -> Exception:
    """The child's error as the nearest class of this package that it was one of."""
    for name in described["kinds"]:
        kind = getattr(exceptions, name, None)
        if isinstance(kind, type) and issubclass(kind, DimosError):
            with contextlib.suppress(TypeError):
                return kind(described["text"])
    return DimosError(f"{described['kinds'][0]}: {described['text']}")
