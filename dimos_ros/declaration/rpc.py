"""``@rpc``: makes a module's method callable by other modules, by name and by type."""

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
"""The method name, beside the empty one, by which a person asks for the list of a module's calls."""


@overload
def rpc(method: type) -> Callable[[F], F]: ...
@overload
def rpc(method: F) -> F: ...
def rpc(method: Any) -> Any:
    """Make a method callable from other modules and from the command line.

    ``@rpc`` serves it on the node's ``~/call`` service, arguments and result as JSON, checked by the method's
    type hints. ``@rpc(std_srvs.srv.SetBool)`` serves it as that ROS service under the method's name below the
    node: the method then takes the request and returns the response (or takes the request's fields by name).

    Calls run in threads of their own, beside the module's handlers and timers: a method that sleeps delays no
    stream, and state that both touch wants a lock.
    """
    if inspect.isclass(method):
        if not (hasattr(method, "Request") and hasattr(method, "Response")):
            raise DeclarationError(f"@rpc({method.__name__}): it is no ROS service type")

        def mark(function: F) -> F:
            return _marked(function, method)

        return mark
    return _marked(method, None)


def _marked(function: Any, service_type: Any) -> Any:
    if not inspect.isfunction(function):
        raise DeclarationError(f"@rpc goes on a method, not on {type(function).__name__}")
    if inspect.iscoroutinefunction(function) or inspect.isgeneratorfunction(function):
        raise DeclarationError(
            f"@rpc: {function.__name__}() runs in a thread of its own and returns its result: it is a plain function, "
            "which may block, not a coroutine or generator"
        )
    setattr(function, _MARK, service_type)
    if "<locals>" in function.__qualname__:
        # A class of a function's own may be annotated with other names of that function.
        setattr(function, _NAMES, _merged(enclosing_scopes(function.__module__)))
    return function


def _merged(scopes: list[dict[str, Any]]) -> dict[str, Any]:
    """The names of several scopes; an inner one hides those outside of it."""
    return {name: value for scope in reversed(scopes) for name, value in scope.items()}


def is_rpc(attribute: Any) -> bool:
    """Whether ``@rpc`` marked this function."""
    return hasattr(attribute, _MARK)


def service_type_of(function: Any) -> Any:
    """The ROS service type a marked function is served as; None for ``~/call`` alone."""
    return getattr(function, _MARK, None)


def methods_of(cls: type) -> dict[str, Callable[..., Any]]:
    """The functions by which a class may be called: a Protocol's methods, or what ``@rpc`` marked in a class
    and its bases, in order of definition. An override stays callable, and served as the same ROS service,
    without being marked again."""
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
    """The call that a marked method declares. Raises DeclarationError."""
    if name.startswith("_"):
        raise DeclarationError(f"{owner}.{name}: a private method cannot be called by others")
    if name == LISTING:
        raise DeclarationError(f"{owner}.{name}: {LISTING!r} lists the calls of any module")
    why = reason_of_call(name, service_type_of(function) is not None)
    if why:
        raise DeclarationError(f"{owner}.{name}() cannot be a call: {why}; give it another name")
    signature = _signature(function)
    parameters = list(signature.parameters.values())[1:]
    for parameter in parameters:
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise DeclarationError(f"{owner}.{name}: a call's arguments are named, *{parameter.name} is not")
        if parameter.kind is parameter.POSITIONAL_ONLY:
            raise DeclarationError(f"{owner}.{name}: a call's arguments go by name, {parameter.name!r} cannot")
    summary = (inspect.getdoc(function) or "").partition("\n")[0]
    service_type = service_type_of(function)
    return Call(
        name,
        str(signature.replace(parameters=parameters)),
        summary,
        type_name(service_type) if service_type else None,
    )


def scope_of(function: Callable[..., Any]) -> dict[str, Any]:
    """The names that a marked function's annotations may use."""
    return {**getattr(function, "__globals__", {}), **getattr(function, _NAMES, {})}


class _Text:
    """An annotation that a signature shows as it was written, without quotes."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return self._text


def _signature(function: Callable[..., Any]) -> inspect.Signature:
    """The signature as a person wrote it."""

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
