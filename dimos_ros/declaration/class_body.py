"""Reading a class body: from annotations, defaults and decorated methods to an Interface.

Annotations may be strings. One may name something that is not defined yet, such as a class further down or an import
for type checking alone. Such an annotation is read again when the interface is first needed.
"""

from __future__ import annotations

import re
import sys
import typing
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from dimos_ros.declaration import reserved
from dimos_ros.declaration.annotations import annotations_of, enclosing_scopes, is_protocol
from dimos_ros.declaration.interface import REQUIRED, Call, Direction, Interface, Parameter, Reference, Stream
from dimos_ros.declaration.message_types import is_message_type, type_name
from dimos_ros.declaration.parameters import LiveParameter, parameter_of, split_optional, with_default
from dimos_ros.declaration.rpc import call_of
from dimos_ros.declaration.streams import In, Out, declared_qos
from dimos_ros.exceptions import DeclarationError
from dimos_ros.naming.wording import listed

_TYPE_NAME = re.compile(r"([a-z][a-z0-9_]*)(/msg)?/([A-Z][A-Za-z0-9]*)\Z")
_TEXTUAL_STREAM = re.compile(r"(?:[\w.]*\.)?(In|Out)\[\s*['\"]?([\w./ ]+?)['\"]?\s*\]\Z")

Declaration = Stream | Parameter | Reference


def is_declared(cls: type) -> bool:
    """Return whether a class has declarations: it is Declared or derived from it."""
    return hasattr(cls, "_declarations")


class Unresolved:
    """An annotation that names something that is not defined yet."""

    def __init__(self, text: str, namespaces: list[Mapping[str, Any]], default: Any) -> None:
        self.text = text
        self.namespaces = namespaces
        self.default = default


def read_class_body(cls: type) -> dict[str, Any]:
    """Return the declarations of one class body (not of its bases) by attribute name.

    A value is a Stream, Parameter, Reference or Unresolved. Raises DeclarationError.
    """
    found: dict[str, Any] = {}
    namespaces = _namespaces(cls)
    for name, annotation in annotations_of(cls).items():
        if name.startswith("_") or name == "dedicated":
            continue
        default = cls.__dict__.get(name, REQUIRED)
        declared = _read(cls, name, annotation, default, namespaces)
        if declared is None:
            continue
        why = reserved.reason(name)
        if why:
            raise DeclarationError(f"{cls.__name__}.{name} cannot be declared: {why}")
        found[name] = declared
    return found


def redefined(cls: type, inherited: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """Return inherited declarations to which a class body gives another default or QoS: ``resolution = 0.01``.

    They need no annotation. Raises DeclarationError if another kind of attribute would hide a declaration,
    BlueprintError if the default does not fit.
    """
    found: dict[str, Any] = {}
    for name, value in vars(cls).items():
        before = inherited.get(name)
        if name in own or before is None:
            continue
        if isinstance(before, Parameter) and not callable(value):
            found[name] = with_default(before, value, cls.__name__)
        elif isinstance(before, Stream) and isinstance(value, (In, Out)):
            found[name] = replace(before, qos=value.qos)
        else:
            raise DeclarationError(
                f"{cls.__name__}.{name} hides the {type(before).__name__.lower()} {name!r} that a base class declares; "
                "give it another name, or annotate it to declare it anew"
            )
    return found


def resolve(cls: type, name: str, pending: Unresolved) -> Any:
    """Read an annotation that could not be evaluated before. Raises DeclarationError if it still cannot."""
    declared = _read(cls, name, pending.text, pending.default, pending.namespaces)
    if isinstance(declared, Unresolved):
        raise DeclarationError(
            f"{cls.__name__}.{name}: the annotation {pending.text!r} names something that is not defined "
            "where the class is defined"
        )
    return declared


def interface_of(
    declarations: Mapping[str, Declaration], calls: Mapping[str, Callable[..., Any]], owner: str
) -> Interface:
    """Return the interface of a class from its declarations and ``@rpc`` methods, the inherited ones included."""

    def kind(wanted: type) -> dict[str, Any]:
        return {n: d for n, d in declarations.items() if isinstance(d, wanted)}

    read: dict[str, Call] = {n: call_of(n, function, owner) for n, function in calls.items()}
    return Interface(kind(Stream), kind(Parameter), kind(Reference), read)


def check_handlers(cls: type, streams: Mapping[str, Stream]) -> None:
    """Raise DeclarationError for a ``handle_<name>`` without an ``In`` of that name."""
    inputs = [s.name for s in streams.values() if s.direction == "in"]
    for name in dir(cls):
        if not name.startswith("handle_") or not callable(getattr(cls, name, None)):
            continue
        stream = name.removeprefix("handle_")
        if stream not in inputs:
            raise DeclarationError(
                f"{cls.__name__}.{name}() handles no stream: there is no In {stream!r}; declared inputs: "
                f"{listed(inputs, like=stream)}"
            )


def _namespaces(cls: type) -> list[Mapping[str, Any]]:
    """Return the places that define the names of a string annotation, the innermost first.

    They are the class body, the functions around it and its Python module.
    """
    python_module = sys.modules.get(cls.__module__)
    return [vars(cls), *enclosing_scopes(cls.__module__), vars(python_module) if python_module else {}]


def _evaluate(text: str, namespaces: list[Mapping[str, Any]]) -> Any:
    merged: dict[str, Any] = {}
    for namespace in reversed(namespaces):
        merged.update(namespace)
    return eval(text, merged)


def _read(
    cls: type,
    name: str,
    annotation: Any,
    default: Any,
    namespaces: list[Mapping[str, Any]],
) -> Any:
    owner = f"{cls.__name__}.{name}"
    if isinstance(annotation, typing.ForwardRef):
        annotation = annotation.__forward_arg__
    if isinstance(annotation, str):
        text = annotation
        try:
            annotation = _evaluate(text, namespaces)
        except NameError:
            textual = _TEXTUAL_STREAM.match(text)
            if textual:
                direction: Direction = "in" if textual[1] == "In" else "out"
                # Formatters take the quotes off a type's name and put spaces around its slashes.
                type_name = textual[2].replace(" ", "")
                known = _message_type_name(type_name, owner) if "/" in type_name else type_name
                return Stream(name, direction, known, declared_qos(default))
            return Unresolved(text, namespaces, default)
        except Exception as error:
            raise DeclarationError(f"{owner}: the annotation {text!r} is wrong: {error}") from error
    origin = typing.get_origin(annotation)
    if annotation is typing.ClassVar or origin is typing.ClassVar:
        return None
    if annotation in (In, Out):
        raise DeclarationError(f"{owner}: {annotation.__name__} needs its message type: {annotation.__name__}[Image]")
    if origin in (In, Out):
        (message_type,) = typing.get_args(annotation)
        return Stream(
            name,
            "in" if origin is In else "out",
            _message_type_name(message_type, owner),
            declared_qos(default),
        )
    optional, target = split_optional(annotation)
    if isinstance(target, typing.ForwardRef):  # Optional["Later"]
        text = f"{target.__forward_arg__}{' | None' if optional else ''}"
        return _read(cls, name, text, default, namespaces)
    if isinstance(target, type) and (is_declared(target) or is_protocol(target)):
        if default not in (REQUIRED, None):
            raise DeclarationError(f"{owner}: a reference can have no default except None")
        return Reference(name, target, optional or default is None)
    if isinstance(default, LiveParameter):
        default = default.parameter.default
    parameter = parameter_of(name, annotation, default, cls.__name__)
    if parameter is None:
        raise DeclarationError(
            f"{owner}: {annotation!r} is not a stream, parameter or reference. A parameter is a bool, int, float, str, "
            "bytes or a list of bool, int, float or str; a plain attribute is a ClassVar or starts with an underscore"
        )
    return parameter


def _message_type_name(message_type: Any, owner: str) -> str:
    """Return ``sensor_msgs/msg/LaserScan`` for that message class, or for its name as text."""
    if isinstance(message_type, typing.ForwardRef):
        message_type = message_type.__forward_arg__
    if isinstance(message_type, str):
        match = _TYPE_NAME.match(message_type)
        if match:
            return f"{match[1]}/msg/{match[3]}"
    elif is_message_type(message_type) and message_type.__module__.split(".")[1:2] in (["msg"], ["srv"], ["action"]):
        return type_name(message_type)
    described = getattr(message_type, "__qualname__", repr(message_type))
    raise DeclarationError(
        f"{owner}: {described} is not a ROS message type; a stream carries one, such as sensor_msgs.msg.LaserScan"
    )
