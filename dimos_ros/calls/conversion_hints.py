"""Reading a method's arguments and result: by its signature, or by the ROS service type that it is served as."""

from __future__ import annotations

import functools
import inspect
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from dimos_ros.calls import message_fields
from dimos_ros.calls.conversion_reader import reader
from dimos_ros.calls.wire import POSITIONAL
from dimos_ros.declaration.annotations import annotations_of
from dimos_ros.declaration.rpc import scope_of, service_type_of
from dimos_ros.exceptions import ArgumentError
from dimos_ros.naming.wording import listed, shown


class MethodHints:
    """The hints of a method's signature. An argument without a type hint is not checked."""

    def __init__(self, name: str, function: Callable[..., Any]) -> None:
        self.name = name
        parameters = list(inspect.signature(function).parameters.values())[1:]
        hints = _hints_of(function)
        self._readers = {p.name: reader(hints.get(p.name, Any)) for p in parameters}
        self._positional = [p.name for p in parameters if p.kind is not p.KEYWORD_ONLY]
        self._required = [p.name for p in parameters if p.default is p.empty]
        returned = hints.get("return", Any)
        self._returns_nothing = returned in (None, type(None))
        self._read_result = reader(returned)

    def by_name(self, positional: Sequence[Any], named: Mapping[str, Any]) -> dict[str, Any]:
        """Return all arguments by name, as Python binds them.

        Raises ArgumentError if there are too many, or if one is unknown, given twice or missing.
        """
        arguments = _by_name(self.name, self._positional, list(self._readers), positional, named)
        if len(arguments) < len(self._readers):
            missing = [name for name in self._required if name not in arguments]
            if missing:
                raise ArgumentError(
                    f"{self.name}() needs {', '.join(missing)}, which {'is' if len(missing) == 1 else 'are'} missing"
                )
        return arguments

    def arguments(self, data: Any) -> dict[str, Any]:
        """Return the method's arguments from plain data, checked and converted. Raises ArgumentError."""
        if not (data or self._required) and isinstance(data, (dict, list)):
            return {}
        given = self.by_name(*_split(self.name, data))
        return {name: self._readers[name](value, name) for name, value in given.items()}

    def result(self, value: Any) -> Any:
        """Return the result, checked against the return annotation and converted. Raises ArgumentError."""
        return None if self._returns_nothing else self._read_result(value, f"result of {self.name}()")


class ServiceHints:
    """The hints of a method that is served as a ROS service: it takes the request, or the request's fields by name."""

    def __init__(self, name: str, function: Callable[..., Any], service_type: Any) -> None:
        self.name = name
        self._request, self._response = service_type.Request, service_type.Response
        self._fields = list(self._request.get_fields_and_field_types())
        taken = list(inspect.signature(function).parameters)[1:]
        self._as_request = taken[0] if len(taken) == 1 and taken != self._fields else ""

    def by_name(self, positional: Sequence[Any], named: Mapping[str, Any]) -> dict[str, Any]:
        """Return the request's fields by name, from arguments or from one request. Raises ArgumentError."""
        if len(positional) == 1 and isinstance(positional[0], self._request) and not named:
            return {name: getattr(positional[0], name) for name in self._fields}
        return _by_name(self.name, self._fields, self._fields, positional, named)

    def arguments(self, data: Any) -> dict[str, Any]:
        """Return the method's arguments from plain data or a request. Raises ArgumentError."""
        if not isinstance(data, self._request):
            data = message_fields.from_dict(self._request, self.by_name(*_split(self.name, data)), f"{self.name}()")
        return {self._as_request: data} if self._as_request else {name: getattr(data, name) for name in self._fields}

    def result(self, value: Any) -> Any:
        """Return the response, from a response or its fields. Raises ArgumentError."""
        return message_fields.from_dict(self._response, value, f"result of {self.name}()")


Hints = MethodHints | ServiceHints


@functools.lru_cache(maxsize=1024)
def hints_of(name: str, function: Callable[..., Any]) -> Hints:
    """Return the hints of a method, which are read once for all instances and proxies.

    Raises DeclarationError for a hint that data cannot be checked against.
    """
    service_type = service_type_of(function)
    return MethodHints(name, function) if service_type is None else ServiceHints(name, function, service_type)


def _by_name(
    method: str, by_position: list[str], known: list[str], positional: Sequence[Any], named: Mapping[str, Any]
) -> dict[str, Any]:
    if len(positional) > len(by_position):
        raise ArgumentError(
            f"{method}() takes {len(by_position)} arguments by position, but {len(positional)} were given; "
            f"its arguments: {listed(known)}"
        )
    arguments = dict(zip(by_position, positional, strict=False))
    for name, value in named.items():
        if name not in known:
            raise ArgumentError(f"{method}() has no argument {shown(name)}; its arguments: {listed(known)}")
        if name in arguments:
            raise ArgumentError(f"{method}() got the argument {name!r} twice, by position and by name")
        arguments[name] = value
    return arguments


def _split(method: str, data: Any) -> tuple[Sequence[Any], Mapping[str, Any]]:
    """Split the arguments of a request into those by position and those by name. Raises ArgumentError."""
    if data is None:
        return (), {}
    if isinstance(data, dict):
        positional = data.get(POSITIONAL, ())
        if isinstance(positional, list):
            return positional, {name: value for name, value in data.items() if name != POSITIONAL}
        return (), data
    if isinstance(data, list):
        return data, {}
    raise ArgumentError(f"the arguments of {method}() must be a JSON object or list, not {type(data).__name__}")


def _hints_of(function: Callable[..., Any]) -> dict[str, Any]:
    """Return the evaluated annotations, without those that name an import for the type checker alone."""
    found = {}
    scope = scope_of(function)
    for name, annotation in annotations_of(function).items():
        value = annotation.__forward_arg__ if isinstance(annotation, typing.ForwardRef) else annotation
        if isinstance(value, str):
            try:
                value = eval(value, scope)
            except (NameError, AttributeError, TypeError):
                continue
        found[name] = value
    return found
