"""Proxies: objects that stand for another module and whose methods are its calls.

``proxy.clear()`` blocks; ``proxy.clear.future()`` returns a ``concurrent.futures.Future``;
``await proxy.clear.aio()`` is the awaitable form; ``proxy.clear.within(2.0)()`` has a deadline of its own, in
any of the forms. What a call can end with besides its result is in :mod:`dimos_ros.calls.target`.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, Protocol

from dimos_ros.calls.conversion import ENCODED, POSITIONAL, from_json, to_json
from dimos_ros.calls.conversion_hints import Hints, hints_of
from dimos_ros.calls.directory import Directory
from dimos_ros.calls.server import Answer
from dimos_ros.calls.target import Bounds, FixedBounds, Target
from dimos_ros.declaration.interface import Reference
from dimos_ros.declaration.rpc import methods_of
from dimos_ros.exceptions import ArgumentError, RemoteError, TargetInactiveError, UnknownMethodError
from dimos_ros.naming.wording import nearest

if TYPE_CHECKING:
    from rclpy.node import Node

_REFUSALS = {error.__name__: error for error in (ArgumentError, TargetInactiveError, UnknownMethodError)}
"""Errors of the call itself, rather than of the method: they come without a traceback."""

_NO_ARGUMENTS = to_json({ENCODED: True})


class Caller(Bounds, Protocol):
    """The module that holds a reference: a node, whose parameters are the bounds of its calls."""

    @property
    def handle(self) -> Any: ...
    @property
    def context(self) -> Any: ...


class Method:
    """One call of a target; calling it blocks until the result is there."""

    __slots__ = ("_hints", "_proxy", "_target", "_timeout", "name")

    def __init__(self, proxy: Proxy, name: str, timeout: float | None = None) -> None:
        self._proxy = proxy
        self._target = proxy._target
        self._hints: Hints | None = None
        self.name = name
        self._timeout = timeout

    def __call__(self, *positional: Any, **named: Any) -> Any:
        """Raises CallError: RemoteError for what the method raised, and those of a call that did not come to
        it (see :mod:`dimos_ros.calls.target`)."""
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
        """The same call with a deadline of its own."""
        return Method(self._proxy, self.name, float(seconds))

    def future(self, *positional: Any, **named: Any) -> Future[Any]:
        """Start the call and return at once."""
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
        """For asyncio: the loop goes on meanwhile."""
        return await asyncio.wrap_future(self.future(*positional, **named))

    def __repr__(self) -> str:
        return f"<call {self.name} of {self._target.name}>"


class Proxy:
    """Stands for the instance of one full node name, which is fixed when the proxy is made.

    ``target_type``, a Module subclass or a Protocol, says which calls there are and how their results are
    read; a method that it does not have is an UnknownMethodError before anything is sent. Without one, the
    instance is asked for its calls when the first of them is made, and results are plain data.
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
        """What a module's reference becomes: bounds are the module's own parameters."""
        # A Protocol is not what the instances are called by.
        class_name = "" if reference.is_protocol else reference.target.__name__
        node: Any = module
        return cls(node, name, reference.target, class_name=class_name, directory=directory, bounds=module)

    @classmethod
    def to_instance(
        cls, node: Node, name: str, directory: Directory | None = None, target_type: type | None = None
    ) -> Proxy:
        """For those that are no module, such as the coordinator."""
        return cls(node, name, target_type, directory=directory)

    def __getattr__(self, name: str) -> Method:
        if name.startswith("_"):
            raise AttributeError(f"{type(self).__name__} has no {name!r}; private names of a module cannot be called")
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
        return UnknownMethodError(f"{self!r} has no call {name!r}; it has {nearest(name, known) or 'none'}")


def close(proxy: Proxy) -> None:
    """End a proxy's calls and give back what it uses. Not a method: those are the target's."""
    proxy._target.close()


def _packed(name: str, hints: Hints | None, positional: tuple[Any, ...], named: dict[str, Any]) -> str:
    """Arguments as JSON, with what tells the instance that results may come in the form for Python."""
    if hints is not None:
        arguments = hints.by_name(positional, named)
        return to_json({ENCODED: True, **arguments}, encoded=True) if arguments else _NO_ARGUMENTS
    if positional:
        named = {**named, POSITIONAL: positional}
    return to_json(named, encoded=True) if named else ""


def _error_of(target: str, method: str, answer: Answer) -> Exception:
    refusal = _REFUSALS.get(answer.error_type) if not answer.error_traceback else None
    if refusal is not None:
        return refusal(answer.error_message)
    error = RemoteError(
        f"{target}: {method}() raised {answer.error_type}: {answer.error_message}",
        answer.error_type,
        answer.error_message,
        answer.error_traceback,
    )
    if sys.version_info >= (3, 11) and answer.error_traceback:
        error.add_note(f"There, in {target}:\n{answer.error_traceback.rstrip()}")
    return error
