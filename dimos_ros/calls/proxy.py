"""Proxies: objects that stand for another module and whose methods are its calls.

``proxy.clear()`` blocks; ``proxy.clear.future()`` returns a ``concurrent.futures.Future``; ``await
proxy.clear.aio()`` is for asyncio. Each form takes a deadline of its own: ``proxy.clear.within(2.0)()``.
:mod:`dimos_ros.calls.target` lists the errors that a call can end with.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, Protocol

from dimos_ros.calls.conversion import from_json, to_json
from dimos_ros.calls.conversion_hints import Hints, hints_of
from dimos_ros.calls.directory import Directory
from dimos_ros.calls.target import Bounds, FixedBounds, Target
from dimos_ros.calls.wire import ENCODED, POSITIONAL, Answer
from dimos_ros.declaration.interface import Reference
from dimos_ros.declaration.rpc import methods_of
from dimos_ros.exceptions import RemoteError, UnknownMethodError
from dimos_ros.naming.wording import listed, shown

if TYPE_CHECKING:
    from rclpy.node import Node

_NO_ARGUMENTS = to_json({ENCODED: True})


class Caller(Bounds, Protocol):
    """The module that holds a reference: a node whose parameters bound its calls."""

    @property
    def handle(self) -> Any: ...
    @property
    def context(self) -> Any: ...


class Method:
    """One call of another module as a function, which blocks until the result arrives."""

    __slots__ = ("_hints", "_proxy", "_target", "_timeout", "name")

    def __init__(self, proxy: Proxy, name: str, timeout: float | None = None) -> None:
        self._proxy = proxy
        self._target = proxy._target
        self._hints: Hints | None = None
        self.name = name
        self._timeout = timeout

    def __call__(self, *positional: Any, **named: Any) -> Any:
        """Make the call and return its result.

        Raises RemoteError if the method raised, another CallError if the call failed (see
        :mod:`dimos_ros.calls.target`).
        """
        hints = self._hints
        if hints is None:
            hints = self._hints = self._proxy._hints_of(self.name, self._timeout)
        arguments = _packed(self.name, hints, positional, named)
        answer = self._target.call(self.name, arguments, self._timeout)
        if not answer.success:
            raise _error_of(self._target.name, self.name, answer)
        value = from_json(answer.result, f"the result of {self.name}()")
        return value if hints is None else hints.result(value)

    def within(self, seconds: float) -> Method:
        """Return the same call with a deadline of its own."""
        return Method(self._proxy, self.name, float(seconds))

    def future(self, *positional: Any, **named: Any) -> Future[Any]:
        """Start the call and return a future of its result at once."""
        future: Future[Any] = Future()

        def run() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                result = self(*positional, **named)
            except BaseException as error:
                future.set_exception(error)
            else:
                future.set_result(result)

        self._target.threads.submit(run)
        return future

    async def aio(self, *positional: Any, **named: Any) -> Any:
        """Make the call and return its result; the asyncio loop goes on meanwhile."""
        return await asyncio.wrap_future(self.future(*positional, **named))

    def __repr__(self) -> str:
        return f"<call {self.name} of {self._target.name}>"


class Proxy:
    """A stand-in for the instance of one full node name, which is fixed when the proxy is made.

    ``target_type``, a Module subclass or a Protocol, defines the calls and the types of their results. A method
    that it does not have raises UnknownMethodError before anything is sent. Without a type, the first call asks the
    instance for its list of calls, and results are plain data.
    """

    def __init__(
        self,
        node: Node,
        name: str,
        target_type: type | None = None,
        *,
        class_name: str = "",
        directory: Directory | None = None,
        bounds: Bounds | None = None,
    ) -> None:
        class_name = class_name or (target_type.__name__ if target_type else "")
        self._target = Target(node, name, class_name, directory, bounds or FixedBounds())
        self._methods: Mapping[str, Callable[..., Any]] | None = methods_of(target_type) if target_type else None
        self._listed: frozenset[str] | None = None
        for method in self._methods or ():
            self.__dict__[method] = Method(self, method)

    @classmethod
    def for_reference(cls, module: Caller, reference: Reference, name: str, directory: Directory | None) -> Proxy:
        """Return the proxy for a module's reference; the module's own parameters bound the calls."""
        # Errors name instances by their class, and a Protocol is not the class of any.
        class_name = "" if reference.is_protocol else reference.target.__name__
        node: Any = module
        return cls(node, name, reference.target, class_name=class_name, directory=directory, bounds=module)

    @classmethod
    def to_instance(
        cls, node: Node, name: str, directory: Directory | None = None, target_type: type | None = None
    ) -> Proxy:
        """Return a proxy for a node that is not a module, such as the coordinator."""
        return cls(node, name, target_type, directory=directory)

    def __getattr__(self, name: str) -> Method:
        if name.startswith("_"):
            raise AttributeError(f"{type(self).__name__} has no {name!r}; private methods of a module cannot be called")
        if self._methods is not None:
            raise self._unknown(name, self._methods)
        method = self.__dict__[name] = Method(self, name)
        return method

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *(self._listed or ())})

    def __repr__(self) -> str:
        return f"<{self._target.class_name or 'module'} {self._target.name}>"

    def _hints_of(self, name: str, timeout: float | None) -> Hints | None:
        if self._methods is not None:
            return hints_of(name, self._methods[name])
        if self._listed is None or name not in self._listed:
            self._listed = frozenset(from_json(self._target.call("", "", timeout).result, "the list of calls"))
            if name not in self._listed:
                raise self._unknown(name, self._listed)
        return None

    def _unknown(self, name: str, known: Any) -> UnknownMethodError:
        return UnknownMethodError(f"{self!r} has no call {shown(name)}; it has {listed(known, like=name)}")


def close(proxy: Proxy) -> None:
    """End a proxy's calls and free its resources. This is not a method, since a proxy's methods are calls."""
    proxy._target.close()


def _packed(name: str, hints: Hints | None, positional: tuple[Any, ...], named: dict[str, Any]) -> str:
    """Return the arguments as JSON, with the key that asks for an encoded result."""
    if hints is not None:
        arguments = hints.by_name(positional, named)
        return to_json({ENCODED: True, **arguments}, encoded=True) if arguments else _NO_ARGUMENTS
    if positional:
        named = {**named, POSITIONAL: positional}
    return to_json(named, encoded=True) if named else ""


def _error_of(target: str, method: str, answer: Answer) -> Exception:
    if answer.refusal is not None:
        return answer.refusal(answer.error_message)
    error = RemoteError(
        f"{target}: {method}() raised {answer.error_type}: {answer.error_message}",
        answer.error_type,
        answer.error_message,
        answer.error_traceback,
    )
    if sys.version_info >= (3, 11) and answer.error_traceback:
        error.add_note(f"Traceback in {target}:\n{answer.error_traceback.rstrip()}")
    return error
