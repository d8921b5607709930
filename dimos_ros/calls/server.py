"""The call server of one module: the service ``~/call``, and a ROS service for each ``@rpc(SomeService)``."""

from __future__ import annotations

import threading
import traceback
from typing import Any, Protocol

from dimos_interfaces.srv import Call

from dimos_ros.calls.conversion import from_json, to_json
from dimos_ros.calls.conversion_hints import Hints, hints_of
from dimos_ros.calls.wire import ENCODED, IDENTITY, LISTINGS, SERVICE, Answer
from dimos_ros.declaration.interface import Interface
from dimos_ros.declaration.rpc import methods_of, service_type_of
from dimos_ros.exceptions import (
    ArgumentError,
    CallError,
    TargetDiedError,
    TargetInactiveError,
    UnknownMethodError,
    message_of,
)
from dimos_ros.naming.wording import listed, shown
from dimos_ros.processes.process_identity import own_identity
from dimos_ros.processes.threads import CachedThreads
from dimos_ros.ros.concurrent_service import ConcurrentService
from dimos_ros.ros.node_options import Host


class Box:
    """A place for one answer, in which one thread puts it and another waits for it."""

    __slots__ = ("_content", "_given", "_ready")

    def __init__(self) -> None:
        self._content: Answer | Exception | None = None
        self._given = threading.Lock()
        self._ready = threading.Lock()
        self._ready.acquire()

    def put(self, content: Answer | Exception) -> None:
        """Give the answer, or an error to raise. Only the first counts."""
        if self._given.acquire(blocking=False):
            self._content = content
            self._ready.release()

    def wait(self, timeout: float) -> Answer:
        """Wait at most ``timeout`` seconds and return the answer. Raises TimeoutError, or the error that was given."""
        if not self._ready.acquire(timeout=max(timeout, 0.0)):
            raise TimeoutError
        if isinstance(self._content, Exception):
            raise self._content
        assert self._content is not None
        return self._content


class Served(Protocol):
    """The module whose calls are served: a managed node."""

    @property
    def is_active(self) -> bool: ...

    def get_fully_qualified_name(self) -> str: ...

    @classmethod
    def interface(cls) -> Interface: ...


class CallServer:
    """The server of a module's calls until it is closed. Each call runs in a thread of its own.

    Only methods that ``@rpc`` marked can be called: names are looked up in a table of them, never on the object.
    """

    def __init__(self, module: Served, host: Host) -> None:
        self._module = module
        self._host = host
        self._name = module.get_fully_qualified_name()
        methods = methods_of(type(module))
        self._hints: dict[str, Hints] = {name: hints_of(name, function) for name, function in methods.items()}
        self._threads = CachedThreads(f"calls of {self._name}")
        self._waiting: set[Box] = set()
        self._lock = threading.Lock()
        self._services = [ConcurrentService(module, Call, f"~/{SERVICE}", self._serve, _response_to, self._threads)]
        for name, function in methods.items():
            service_type = service_type_of(function)
            if service_type is not None:
                self._services.append(self._serve_as(service_type, name))
        self._directory = host.directory
        if self._directory is not None:
            self._directory.add_server(self._name, self)

    def close(self) -> None:
        """Refuse new calls. Calls of this process that wait for an answer end with TargetDiedError."""
        if self._directory is not None:
            self._directory.remove_server(self._name, self)
        for service in self._services:
            service.close()
        with self._lock:
            waiting, self._waiting = self._waiting, set()
        for box in waiting:
            box.put(TargetDiedError(f"{self._name} was unloaded during the call"))
        self._threads.close()

    def submit(self, method: str, arguments: str) -> Box:
        """Start a call of this process and return the box that its answer is put into."""
        box = Box()
        with self._lock:
            self._waiting.add(box)

        def run() -> None:
            box.put(self.answer(method, arguments))
            with self._lock:
                self._waiting.discard(box)

        self._threads.submit(run)
        return box

    def answer(self, method: str, arguments: str) -> Answer:
        """Run a call to its end and return its answer, also for any error."""
        try:
            hints = self._hints.get(method)
            if hints is None:
                return self._answer_without_method(method)
            if not self._module.is_active:
                raise TargetInactiveError(f"{self._name} is not active: {method}() was not run")
            given = arguments and not arguments.isspace()
            data = from_json(arguments, f"the argument text of {method}()") if given else {}
            encoded = isinstance(data, dict) and data.pop(ENCODED, False) is True
            values = hints.arguments(data)
        except CallError as error:
            return Answer(False, "", type(error).__name__, str(error))
        except BaseException as error:  # such as a dataclass in the module's code that refuses its values
            return Answer(False, "", ArgumentError.__name__, f"{method}(): {type(error).__name__}: {message_of(error)}")
        try:
            result = getattr(self._module, method)(**values)
        except BaseException as error:  # sys.exit() too: a call must not end the process of the module
            return self._raised(method, error)
        try:
            return Answer(True, to_json(hints.result(result), encoded=encoded))
        except BaseException as error:
            message = f"{self._name}: {method}(): {message_of(error)}"
            self._host.error(f"the result of {method}()", error)
            return Answer(False, "", ArgumentError.__name__, message)

    def _answer_without_method(self, method: str) -> Answer:
        if method in LISTINGS:
            return Answer(True, to_json(self._listing()))
        if method == IDENTITY:
            return Answer(True, to_json(own_identity()))
        known = listed(self._hints, like=method)
        raise UnknownMethodError(f"{self._name} has no call {shown(method)}; it has {known}")

    def _listing(self) -> dict[str, dict[str, str]]:
        calls = type(self._module).interface().calls
        listing = {}
        for name, call in calls.items():
            served = {"service": f"{self._name}/{name} [{call.service_type}]"} if call.service_type else {}
            listing[name] = {"signature": f"{name}{call.signature}", "summary": call.summary, **served}
        return listing

    def _raised(self, method: str, error: BaseException) -> Answer:
        self._host.error(f"call {method}", error)
        inside = error.__traceback__.tb_next if error.__traceback__ else None
        text = "".join(traceback.format_exception(type(error), error, inside))
        return Answer(False, "", type(error).__name__, message_of(error), text)

    def _serve(self, request: Any) -> Any:
        return _response(self.answer(request.method, request.arguments))

    def _serve_as(self, service_type: Any, name: str) -> ConcurrentService:
        """Serve a method as a ROS service; errors go into its fields ``success`` and ``message``, if it has them."""
        hints = self._hints[name]

        def failed(error: BaseException) -> Any:
            response = service_type.Response()
            if hasattr(response, "success"):
                response.success = False
            if hasattr(response, "message"):
                response.message = _clean(f"{type(error).__name__}: {message_of(error)}")
            return response

        def serve(request: Any) -> Any:
            if not self._module.is_active:
                return failed(TargetInactiveError(f"{self._name} is not active: {name}() was not run"))
            try:
                return hints.result(getattr(self._module, name)(**hints.arguments(request)))
            except BaseException as error:
                self._host.error(f"call {name}", error)
                return failed(error)

        return ConcurrentService(self._module, service_type, f"~/{name}", serve, failed, self._threads)


def _response(answer: Answer) -> Any:
    if answer.success:
        return Call.Response(success=True, result=answer.result)
    return Call.Response(
        success=False,
        error_type=_clean(answer.error_type),
        error_message=_clean(answer.error_message),
        error_traceback=_clean(answer.error_traceback),
    )


def _response_to(error: BaseException) -> Any:
    return _response(Answer(False, "", type(error).__name__, message_of(error)))


def _clean(text: str) -> str:
    """Return text that ROS can carry, with lone surrogates and NUL written as escapes."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8").replace("\0", "\\0")
