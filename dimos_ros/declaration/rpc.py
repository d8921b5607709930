"""``@rpc``: marks a module's method as a call, which other modules and the command line can make."""

from __future__ import annotations

import inspect
import sys
import typing
from collections.abc import Callable
from typing import Any, TypeVar, overload

from dimos_ros.declaration.annotations import enclosing_scopes, is_protocol, protocol_methods
from dimos_ros.declaration.interface import Call
from dimos_ros.declaration.message_types import type_name
from dimos_ros.declaration.reserved import reason_of_call
from dimos_ros.exceptions import DeclarationError

F = TypeVar("F", bound=Callable[..., Any])

_MARK = "_dimos_rpc"
_NAMES = "_dimos_names"

LISTING = "help"
"""Method name that asks a module for the list of its calls. The empty name does the same; "help" is easier to type."""


@overload
def rpc(method: type) -> Callable[[F], F]: ...
@overload
def rpc(method: F) -> F: ...
def rpc(method: Any) -> Any:
    """Make a method callable from other modules and from the command line.

    ``@rpc`` serves it on the node's ``~/call`` service. Arguments and result are JSON, checked by the method's
    type hints. ``@rpc(std_srvs.srv.SetBool)`` also serves it as that ROS service, named after the method, below
    the node. The method then takes the request, or its fields by name, and returns the response.

    Each call runs in a thread of its own, beside the module's handlers and timers. So a method that sleeps delays
    no stream, and state that both a call and a handler use needs a lock. Raises DeclarationError.
    """
    if inspect.isclass(method):
        if not (hasattr(method, "Request") and hasattr(method, "Response")):
            raise DeclarationError(f"@rpc({method.__name__}): it is not a ROS service type")

        def mark(function: F) -> F:
            return _marked(function, method)

        return mark
    return _marked(method, None)


def _marked(function: Any, service_type: Any) -> Any:
    if not inspect.isfunction(function):
        raise DeclarationError(f"@rpc goes on a method, not on {type(function).__name__}")
    if inspect.iscoroutinefunction(function) or inspect.isgeneratorfunction(function):
        raise DeclarationError(
            f"@rpc: {function.__name__}() is a coroutine or generator; write a plain method, which may block, since a "
            "call runs in a thread of its own"
        )
    setattr(function, _MARK, service_type)
    if "<locals>" in function.__qualname__:
        # A class inside a function may be annotated with names of that function, which are gone later.
        setattr(function, _NAMES, _merged(enclosing_scopes(function.__module__)))
    return function


def _merged(scopes: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the names of several scopes; an inner scope hides the names of an outer one."""
    return {name: value for scope in reversed(scopes) for name, value in scope.items()}


def is_rpc(attribute: Any) -> bool:
    """Return whether ``@rpc`` marked this function."""
    return hasattr(attribute, _MARK)


def service_type_of(function: Any) -> Any:
    """Return the ROS service type that a marked function is served as; None for ``~/call`` alone."""
    return getattr(function, _MARK, None)


def methods_of(cls: type) -> dict[str, Callable[..., Any]]:
    """Return the calls of a class in order of definition: a Protocol's methods, or those that ``@rpc`` marked.

    Marked methods of bases count. An override stays a call, served as the same ROS service, without a mark of
    its own.
    """
    if is_protocol(cls):
        return protocol_methods(cls)
    marked: dict[str, Any] = {}
    for base in reversed(cls.__mro__):
        for name, value in vars(base).items():
            if is_rpc(value):
                marked[name] = service_type_of(value)
    found: dict[str, Callable[..., Any]] = {}
    for name, service_type in marked.items():
        function = getattr(cls, name, None)
        if inspect.isfunction(function):
            if not is_rpc(function):
                setattr(function, _MARK, service_type)
            found[name] = function
    return found


def call_of(name: str, function: Callable[..., Any], owner: str) -> Call:
    """Return the call that a marked method declares. Raises DeclarationError."""
    if name.startswith("_"):
        raise DeclarationError(f"{owner}.{name}: a private method (with an underscore) cannot be a call")
    if name == LISTING:
        raise DeclarationError(f"{owner}.{name}: a call cannot be named {LISTING!r}, which lists the calls")
    why = reason_of_call(name, service_type_of(function) is not None)
    if why:
        raise DeclarationError(f"{owner}.{name}() cannot be a call: {why}; give it another name")
    signature = _signature(function)
    parameters = list(signature.parameters.values())[1:]
    for parameter in parameters:
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise DeclarationError(f"{owner}.{name}: a call's arguments need names, which *{parameter.name} lacks")
        if parameter.kind is parameter.POSITIONAL_ONLY:
            raise DeclarationError(
                f"{owner}.{name}: a call's arguments go by name, not by position only as {parameter.name!r}"
            )
    summary = (inspect.getdoc(function) or "").partition("\n")[0]
    service_type = service_type_of(function)
    return Call(
        name,
        str(signature.replace(parameters=parameters)),
        summary,
        type_name(service_type) if service_type else None,
    )


def scope_of(function: Callable[..., Any]) -> dict[str, Any]:
    """Return the names that a marked function's annotations may use."""
    return {**getattr(function, "__globals__", {}), **getattr(function, _NAMES, {})}


class _Text:
    """An annotation that was text: a signature shows it without quotes."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return self._text


def _signature(function: Callable[..., Any]) -> inspect.Signature:
    """Return the signature as it was written, with annotations that are text shown without quotes."""

    def shown(annotation: Any) -> Any:
        if isinstance(annotation, typing.ForwardRef):
            annotation = annotation.__forward_arg__
        return _Text(annotation) if isinstance(annotation, str) else annotation

    if sys.version_info >= (3, 14):
        import annotationlib

        signature = inspect.signature(function, annotation_format=annotationlib.Format.FORWARDREF)
    else:
        signature = inspect.signature(function)
    parameters = [p.replace(annotation=shown(p.annotation)) for p in signature.parameters.values()]
    return signature.replace(parameters=parameters, return_annotation=shown(signature.return_annotation))
