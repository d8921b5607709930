"""The control channel between a parent and a child process: one JSON object per line, in both directions.

The parent sends requests and notices from an asyncio loop. The child answers requests in threads, handles notices
in order, and sends events. Both ends log each message at level debug. A request keeps its id in both logs::

    -> robot1/container #3f9a2c.2 load robot1/mapper
    <- #3f9a2c.2 ok 41 ms

A line that is not a message is logged with its cause, and the channel goes on. The same holds for a listener or a
handler that raises. When the channel ends, the parent's ``on_closed`` is called with the reason.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import itertools
import json
import logging
import socket
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from dimos_ros import exceptions
from dimos_ros.exceptions import ContainerDiedError, DimosError, RequestTimeoutError, message_of
from dimos_ros.processes.message import Event, Message, Notice, Protocol, Request
from dimos_ros.processes.request_id import current_request_id, request
from dimos_ros.processes.threads import CachedThreads

MAX_LINE = 1 << 28
"""The most bytes of a message. A longer message closes the channel."""

CLOSED, ENDED = "it was closed", "the other end closed it"
"""Reasons why a channel ended: the parent closed it, or the child closed it or ended."""

A = TypeVar("A")

Handler = Callable[[Any], Any]

_log = logging.getLogger(__name__)


class ParentEnd:
    """The parent's end of a control channel.

    ``name`` is the child's name in the log. ``on_event(event)`` is called for each event. ``on_closed(reason)`` is
    called once, when the channel has ended. Call all methods in the asyncio loop that opened the channel.
    """

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        protocol: Protocol,
        name: str,
        on_event: Callable[[Any], None],
        on_closed: Callable[[str], None],
    ) -> None:
        self.name = name
        self.last_words = ""
        """The error that ended the child, as the child reported it; "" if it reported none."""
        self._writer = writer
        self._protocol = protocol
        self._on_event = on_event
        self._on_closed = on_closed
        self._pending: dict[str, asyncio.Future[Any]] = {}
        self._numbers = itertools.count(1)
        self._closing = False
        self.closed: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        """A future with the reason why the channel ended. It is done when every received message has been handled."""
        with request(""):  # the task outlives the request that started the child
            self._task = asyncio.ensure_future(self._read(reader))

    @classmethod
    async def open(
        cls,
        connection: socket.socket,
        protocol: Protocol,
        name: str,
        on_event: Callable[[Any], None],
        on_closed: Callable[[str], None] = lambda reason: None,
    ) -> ParentEnd:
        """Open the parent's end on ``connection``, one of two connected sockets; the channel then owns the socket."""
        reader, writer = await asyncio.open_unix_connection(sock=connection, limit=MAX_LINE)
        return cls(reader, writer, protocol, name, on_event, on_closed)

    async def ask(self, message: Request[A], timeout: float | None = None) -> A:
        """Send a request and return the child's answer.

        Raises the child's error if it belongs to this package, and DimosError for any other error. Either carries
        the child's traceback as ``remote_traceback``. Raises RequestTimeoutError after ``timeout`` seconds, and
        ContainerDiedError if the child has ended.
        """
        own = current_request_id()
        number = f"{own}.{next(self._numbers)}" if own else str(next(self._numbers))
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._pending[number] = future
        _log.debug("-> %s #%s %s %s", self.name, number, message.name, message.subject)
        started, outcome = time.monotonic(), "cancelled"
        try:
            self._write({"id": number, "do": message.name, "with": message.to_data()})
            data = await asyncio.wait_for(future, timeout)
            outcome = "ok"
        except asyncio.TimeoutError:
            outcome = f"no answer within {timeout:g} s"
            raise RequestTimeoutError(f"{self.name} did not {message.action} within {timeout:g} s") from None
        except DimosError as error:
            outcome = f"{type(error).__name__}: {error}"
            raise
        finally:
            self._pending.pop(number, None)
            _log.debug("<- #%s %s %.0f ms", number, outcome, 1e3 * (time.monotonic() - started))
        answer: Any = message.answer.from_data(data) if message.answer is not None else None
        return answer

    def tell(self, notice: Notice) -> None:
        """Send a notice. Notices arrive in order. If the child has ended, nothing happens."""
        _log.debug("-> %s %s %s", self.name, notice.name, notice.subject)
        with contextlib.suppress(ContainerDiedError):
            self._write({"do": notice.name, "with": notice.to_data()})

    def close(self, reason: str = CLOSED) -> None:
        """Close the connection, which tells the child to end."""
        self._closing = True
        self._task.cancel()
        self._end(reason)

    def _write(self, message: dict[str, Any]) -> None:
        if self._writer.is_closing():
            raise ContainerDiedError("the process is gone")
        self._writer.write(json.dumps(message).encode() + b"\n")

    async def _read(self, reader: asyncio.StreamReader) -> None:
        reason = ENDED
        try:
            while line := await reader.readline():
                self._receive(line)
        except ConnectionError:
            pass  # the child ended before it had read all messages
        except (OSError, ValueError) as error:
            reason = f"reading from the process failed: {error}"
            _log.error("%s: the control channel is closed: %s", self.name, reason)
        finally:
            self._end(reason)

    def _end(self, reason: str) -> None:
        """Fail the requests that wait for an answer, and call ``on_closed`` once."""
        self._writer.close()
        text = "the process ended" if reason in (ENDED, CLOSED) else f"its control channel ended: {reason}"
        if self.last_words:
            text = f"the process ended: {self.last_words}"
        for future in self._pending.values():
            if not future.done():
                future.set_exception(ContainerDiedError(text))
        if self.closed.done():
            return
        self.closed.set_result(reason)
        if not self._closing:
            _log.debug("%s: the control channel ended: %s", self.name, reason)
            self._guarded("the end of the control channel", self._on_closed, reason)
        # The listeners refer to the process, and the process to this channel. Without this circle of references,
        # the memory is freed at once.
        self._on_event = self._on_closed = _ignore

    def _receive(self, line: bytes) -> None:
        try:
            message = json.loads(line)
            if "event" in message:
                self._receive_event(message["event"], message["with"])
            elif "died" in message:
                self.last_words = str(message["died"]["text"])
                _log.debug("%s died: %s", self.name, message["died"]["traceback"])
            elif "protocol" in message:
                self._check_version(message["protocol"])
            else:
                self._receive_answer(message)
        except (ValueError, TypeError, KeyError) as error:
            _log.error("%s sent a line that is not a message (%s): %.200r", self.name, error, line)

    def _receive_event(self, name: Any, data: Any) -> None:
        event = self._protocol.read(name, data)
        _log.debug("<- %s %s %s", self.name, event.name, event.subject)
        self._guarded(event.name, self._on_event, event)

    def _receive_answer(self, message: dict[str, Any]) -> None:
        future = self._pending.get(message["id"])
        if future is None or future.done():
            _log.debug("<- #%s too late: the request no longer waits for an answer", message["id"])
            return
        if "error" in message:
            future.set_exception(_error_of(message["error"]))
        else:
            future.set_result(message["result"])

    def _check_version(self, version: int) -> None:
        if version != self._protocol.version:
            ours = self._protocol.version
            self._end(f"the process speaks version {version} of the control protocol, its parent version {ours}")

    def _guarded(self, what: str, listener: Callable[[Any], None], heard: Any) -> None:
        """Call a listener. If it raises, log the error, so that the channel goes on."""
        try:
            listener(heard)
        except Exception:
            _log.exception("%s: handling %s failed", self.name, what)


class ChildEnd:
    """The child's end of a control channel. ``handlers`` has a function for each class of request and notice.

    Each request is handled in a thread of its own. Notices are handled in order, in the thread that reads messages.
    """

    def __init__(
        self, connection: socket.socket, protocol: Protocol, handlers: Mapping[type[Message], Handler]
    ) -> None:
        self._connection = connection
        self._protocol = protocol
        self._handlers = handlers
        self._threads = CachedThreads("control")
        self._lock = threading.Lock()
        self._write({"protocol": protocol.version})

    def serve(self) -> None:
        """Handle messages until the parent closes the channel or ends, or :meth:`close` is called."""
        with self._connection.makefile("rb") as lines, contextlib.suppress(OSError):
            for line in lines:
                self._receive(line)

    def tell(self, event: Event) -> None:
        """Send an event to the parent. If the parent has ended, nothing happens."""
        self._write({"event": event.name, "with": event.to_data()})

    def close(self) -> None:
        """End :meth:`serve`."""
        with contextlib.suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)

    def _receive(self, line: bytes) -> None:
        number = None
        try:
            data = json.loads(line)
            number = data.get("id")
            message = self._protocol.read(data.get("do"), data.get("with"))
            if number is not None:
                self._threads.submit(functools.partial(self._answer, number, message))
            else:
                self._handlers[type(message)](message)
        except Exception as error:
            _log.exception("a message from the parent process could not be handled: %.200r", line)
            if number is not None:
                self._write({"id": number, "error": error_data(error)})

    def _answer(self, number: str, message: Message) -> None:
        with request(number.rpartition(".")[0]):
            _log.debug("#%s %s %s", number, message.name, message.subject)
            started = time.monotonic()
            try:
                result = self._handlers[type(message)](message)
                self._write({"id": number, "result": None if result is None else result.to_data()})
                outcome = "done"
            except BaseException as error:  # also for sys.exit() in a node's code: the parent waits for an answer
                self._write({"id": number, "error": error_data(error)})
                outcome = f"{type(error).__name__}: {error}"
            _log.debug("#%s %s after %.0f ms", number, outcome, 1e3 * (time.monotonic() - started))

    def _write(self, message: dict[str, Any]) -> None:
        data = json.dumps(message).encode() + b"\n"
        with self._lock, contextlib.suppress(OSError):
            self._connection.sendall(data)


def _ignore(_: Any) -> None:
    """Do nothing: it replaces the listeners of a channel that has ended."""


def send_last_words(connection: socket.socket, error: BaseException) -> None:
    """Report the error that ends a child to its parent, as the last line of the child's channel."""
    with contextlib.suppress(OSError):
        connection.sendall(json.dumps({"died": error_data(error)}).encode() + b"\n")


def error_data(error: BaseException) -> dict[str, Any]:
    """Return an error as JSON data: its classes, its text and its traceback."""
    return {
        "kinds": [kind.__name__ for kind in type(error).__mro__],
        "message": message_of(error),
        "text": "".join(traceback.format_exception_only(type(error), error)).strip(),
        "traceback": "".join(traceback.format_exception(type(error), error, error.__traceback__)),
    }


def _error_of(described: Mapping[str, Any]) -> Exception:
    """Return the child's error as an instance of its nearest base class that belongs to this package."""
    error: DimosError = DimosError(described["text"])
    for name in described["kinds"]:
        kind = getattr(exceptions, name, None)
        if isinstance(kind, type) and issubclass(kind, DimosError):
            with contextlib.suppress(TypeError):
                error = kind(described["message"])
                break
    error.remote_traceback = described["traceback"]
    return error
