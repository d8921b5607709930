"""Arguments of a blueprint function: checked against its signature; text is converted by its type hints."""

from __future__ import annotations

import enum
import inspect
import types
import typing
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from dimos_ros.exceptions import BlueprintError
from dimos_ros.naming.wording import LONGEST_LIST, listed, shortened, shown

_TRUE, _FALSE, _NONE = {"true", "yes", "on", "1"}, {"false", "no", "off", "0"}, {"", "none", "null", "~"}
_SCALARS = {bool, int, float, str}


class BadArgumentError(BlueprintError):
    """An argument that is unknown or of another type; ``argument`` is its name."""

    def __init__(self, message: str, argument: str) -> None:
        super().__init__(message)
        self.argument = argument


def takes(function: Callable[..., Any], name: str) -> bool:
    """Return whether a function has a parameter of that name."""
    return name in inspect.signature(function).parameters


def bind(function: Callable[..., Any], given: Mapping[str, Any], what: str) -> dict[str, Any]:
    """Return keyword arguments for ``function``, converted by its type hints. ``what`` names it in errors.

    Raises BadArgumentError for an unknown argument or one of another type, BlueprintError for a missing one.
    """
    parameters = inspect.signature(function).parameters
    kinds = inspect.Parameter
    named = {n: p for n, p in parameters.items() if p.kind in (kinds.POSITIONAL_OR_KEYWORD, kinds.KEYWORD_ONLY)}
    takes_any = any(p.kind is kinds.VAR_KEYWORD for p in parameters.values())
    hints = _hints(function)
    bound = {}
    for name, value in given.items():
        if name not in named and not takes_any:
            known = listed(named, like=str(name))
            raise BadArgumentError(f"{what} has no argument {shown(str(name))}; its arguments: {known}", name)
        hint = hints.get(name, Any)
        if hint is Any and name in named and type(named[name].default) in _SCALARS:
            hint = type(named[name].default)
        try:
            bound[name] = convert(value, hint)
        except (ValueError, TypeError) as error:
            why = f": {shortened(str(error), LONGEST_LIST)}" if str(error) else ""
            found = f"{type(value).__name__} {shown(value)}{why}"
            text = f"{what}: argument {name!r} takes {_hint_text(hint)}, not {found}"
            raise BadArgumentError(text, name) from None
    missing = [n for n, p in named.items() if p.default is kinds.empty and n not in bound]
    if missing:
        advice = ": name the robots" if missing == ["robots"] else ""
        raise BlueprintError(f"{what} needs {', '.join(missing)}{advice}")
    return bound


def convert(value: Any, hint: Any) -> Any:
    """Return ``value`` converted to the type ``hint``; text is parsed. Raises ValueError or TypeError."""
    origin, members = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any or hint is inspect.Parameter.empty:
        return value
    if origin is typing.Annotated:
        return convert(value, members[0])
    if origin in (typing.Union, types.UnionType):
        return _one_of(value, members)
    if origin is typing.Literal:
        for member in members:
            if value == member or (isinstance(value, str) and value == str(member)):
                return member
        raise ValueError
    kind = origin or hint
    if not isinstance(kind, type):
        return value
    if issubclass(kind, enum.Enum):
        return kind[value] if isinstance(value, str) and value in kind.__members__ else kind(value)
    if kind in _SCALARS:
        return _scalar(value, kind)
    if kind is type(None):
        return _nothing(value)
    if issubclass(kind, Path) and isinstance(value, str):
        return kind(value)
    if issubclass(kind, (str, bytes)):
        return value if isinstance(value, kind) else _refuse()
    if issubclass(kind, Mapping):
        return _mapping(value, members)
    if _is_collection(kind):
        return _collection(value, kind, members)
    return value if isinstance(value, kind) else _refuse()


def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    try:
        return typing.get_type_hints(function)
    except Exception:  # a hint names something imported for type checking alone: do not convert then
        return {}


def _refuse() -> Any:
    raise TypeError


def _nothing(value: Any) -> None:
    if value is not None and not (isinstance(value, str) and value.lower() in _NONE):
        raise TypeError


def _one_of(value: Any, members: tuple[Any, ...]) -> Any:
    """Try the members of a Union in order: str almost last, because it accepts anything, and None last."""
    if value is None and type(None) in members:
        return None
    for member in sorted(members, key=lambda member: 2 if member is type(None) else 1 if member is str else 0):
        try:
            return convert(value, member)
        except (ValueError, TypeError):
            continue
    raise TypeError


def _read(text: str) -> Any:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(str(error).partition("\n")[0]) from None


def _scalar(value: Any, kind: type) -> Any:
    if kind is str:
        if isinstance(value, bool):
            return str(value).lower()
        return str(value) if isinstance(value, (str, int, float)) else _refuse()
    if kind is bool:
        if isinstance(value, bool):
            return value
        word = value.strip().lower() if isinstance(value, str) else None
        return word in _TRUE if word in _TRUE | _FALSE else _refuse()
    if isinstance(value, bool) or not isinstance(value, (int, str) if kind is int else (int, float, str)):
        raise TypeError
    return kind(value)


def _is_collection(kind: type) -> bool:
    return any(issubclass(concrete, kind) for concrete in (list, tuple, set, frozenset)) and kind is not object


def _collection(value: Any, kind: type, members: tuple[Any, ...]) -> Any:
    if isinstance(value, str):
        value = _read(value) if value.lstrip().startswith("[") else value.replace(",", " ").split()
    if isinstance(value, Mapping) or not isinstance(value, (list, tuple, set, frozenset)):
        raise TypeError
    fixed = kind is tuple and members and Ellipsis not in members
    if fixed and len(members) != len(value):
        raise ValueError(f"it needs {len(members)} values")
    hints = members if fixed else (members[:1] or (Any,)) * len(value)
    items = [convert(item, hint) for item, hint in zip(value, hints, strict=True)]
    concrete = next((c for c in (tuple, set, frozenset) if kind is c), list)
    if concrete is list and not issubclass(list, kind):
        concrete = set
    return concrete(items)


def _mapping(value: Any, members: tuple[Any, ...]) -> dict[Any, Any]:
    if isinstance(value, str):
        value = _read(value)
    if not isinstance(value, Mapping):
        raise TypeError
    key_hint, item_hint = members if len(members) == 2 else (Any, Any)
    return {convert(key, key_hint): convert(item, item_hint) for key, item in value.items()}


def _hint_text(hint: Any) -> str:
    return hint.__name__ if isinstance(hint, type) and not typing.get_args(hint) else str(hint).replace("typing.", "")
