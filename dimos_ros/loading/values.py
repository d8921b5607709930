"""Read-only mappings of parameter values, compared by value and exact in JSON."""

from __future__ import annotations

import base64
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from dimos_ros.exceptions import BlueprintError


@dataclass(frozen=True)
class EmptyArray:
    """An array parameter without elements: its type cannot be told from them.

    ``kind`` is the element's: bool, int, float, str or bytes.
    """

    kind: str


ParameterValue = bool | int | float | str | bytes | list[bool] | list[int] | list[float] | list[str] | EmptyArray
"""What a ROS parameter can hold."""

V = TypeVar("V")


class FrozenMap(Mapping[str, V]):
    """A mapping that cannot be changed: lists are copied on their way in and out.

    Equality compares types and ignores order: ``1`` is neither ``1.0`` nor ``True``, and NaN equals itself. So two
    load requests are equal exactly if ROS gets the same from both.
    """

    __slots__ = ("_data", "_hash")

    def __init__(self, data: Mapping[str, Any] | None = None) -> None:
        self._data = {name: _frozen(value) for name, value in (data or {}).items()}
        self._hash: int | None = None

    def __getitem__(self, name: str) -> V:
        return cast("V", _thawed(self._data[name]))

    def __iter__(self) -> Iterator[str]:
        return iter(self._data)

    def __len__(self) -> int:
        return len(self._data)

    def __contains__(self, name: object) -> bool:
        return name in self._data

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Mapping):
            return NotImplemented
        if not isinstance(other, FrozenMap):
            other = FrozenMap(other)
        return self._data is other._data or self._identity() == other._identity()

    def __hash__(self) -> int:
        if self._hash is None:
            self._hash = hash(self._identity())
        return self._hash

    def __repr__(self) -> str:
        return repr(dict(self))

    def __reduce__(self) -> tuple[Any, ...]:
        return FrozenMap, (dict(self),)

    def _identity(self) -> tuple[Any, ...]:
        return tuple((name, _identity(self._data[name])) for name in sorted(self._data))


def _frozen(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return tuple(_frozen(item) for item in value)
    return FrozenMap(value) if isinstance(value, Mapping) and not isinstance(value, FrozenMap) else value


def _thawed(value: Any) -> Any:
    return [_thawed(item) for item in value] if isinstance(value, tuple) else value


def _identity(value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(_identity(item) for item in value)
    if isinstance(value, float):
        return (float, repr(value))
    return (type(value), value)


def to_data(value: Any) -> Any:
    """Return ``value`` as data that JSON holds exactly: bytes, mappings and the floats that JSON lacks get a tag.

    Raises BlueprintError for a value that a parameter cannot hold.
    """
    if isinstance(value, bytes):
        return {"bytes": base64.b64encode(value).decode("ascii")}
    if isinstance(value, EmptyArray):
        return {"empty": value.kind}
    if isinstance(value, float) and not math.isfinite(value):
        return {"float": repr(value)}
    if isinstance(value, (list, tuple)):
        return [to_data(item) for item in value]
    if isinstance(value, Mapping):
        return {"mapping": {name: to_data(item) for name, item in value.items()}}
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise BlueprintError(f"{value!r:.80} is {type(value).__name__}, which a parameter cannot hold")


def from_data(value: Any) -> Any:
    """Return the value that :func:`to_data` wrote."""
    if isinstance(value, dict):
        if "bytes" in value:
            return base64.b64decode(value["bytes"])
        if "empty" in value:
            return EmptyArray(value["empty"])
        if "mapping" in value:
            return {name: from_data(item) for name, item in value["mapping"].items()}
        return float(value["float"])
    if isinstance(value, list):
        return [from_data(item) for item in value]
    return value
