"""Readers: functions that check data against a type hint and convert it. :func:`reader` makes them."""

from __future__ import annotations

import array
import base64
import binascii
import collections
import dataclasses
import functools
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any

import numpy

from dimos_ros.calls import message_fields
from dimos_ros.calls.conversion_pydantic import IS_VERSION_1, Fault, checker
from dimos_ros.declaration.message_types import is_message_type
from dimos_ros.exceptions import ArgumentError, DeclarationError
from dimos_ros.naming.wording import listed, shown

Reader = Callable[[Any, str], Any]
"""A function of data and of the name that errors use for it. It raises ArgumentError."""

_BUILDERS: dict[Any, Any] = {tuple: tuple, set: set, frozenset: frozenset, collections.deque: collections.deque}


def reader(annotation: Any) -> Reader:
    """Return the reader for ``annotation``. Its data is plain, or already of that type.

    Raises DeclarationError for a hint that data cannot be checked against.
    """
    scalar = _SCALARS.get(annotation) if isinstance(annotation, (type, types.NoneType)) else None
    if scalar is not None:
        return scalar
    if annotation in (typing.Any, object):
        return _read_anything
    if _needs_own_reader(annotation):
        return _own_reader(annotation)
    try:
        check = checker(annotation)
    except Exception as error:
        raise DeclarationError(f"arguments cannot be checked against {annotation!r}: {error}") from None

    def read(value: Any, where: str) -> Any:
        try:
            return check(value)
        except Fault as fault:
            raise ArgumentError(f"{where}{fault}") from None
        except RecursionError:
            raise ArgumentError(f"{where}: the value is nested too deeply") from None

    return read


# ---------------------------------------------------------------------------------------------- single values


def _read_anything(value: Any, where: str) -> Any:
    return value


def _refuse(value: Any, where: str, wanted: str) -> ArgumentError:
    return ArgumentError(f"{where}: takes {wanted}, not {message_fields.short(value)}")


def _read_nothing(value: Any, where: str) -> None:
    if value is not None:
        raise _refuse(value, where, "null")


def _read_bool(value: Any, where: str) -> bool:
    if not isinstance(value, (bool, numpy.bool_)):
        raise _refuse(value, where, "true or false")
    return bool(value)


def _read_int(value: Any, where: str) -> int:
    if isinstance(value, (int, numpy.integer)) and not isinstance(value, bool):
        return int(value)
    if isinstance(value, (float, numpy.floating)) and float(value).is_integer():
        return int(value)
    raise _refuse(value, where, "an integer")


def _read_float(value: Any, where: str) -> float:
    if not isinstance(value, (float, int, numpy.floating, numpy.integer)) or isinstance(value, bool):
        raise _refuse(value, where, "a number")
    try:
        return float(value)
    except OverflowError:
        raise _refuse(value, where, "a number of a double's range") from None


def _read_text(value: Any, where: str) -> str:
    if not isinstance(value, str):
        raise _refuse(value, where, "text")
    return value


def _read_bytes(value: Any, where: str) -> bytes:
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value)
    try:
        # pydantic writes base64 with the alphabet for URLs, most other programs with the standard one.
        return base64.b64decode(_read_text(value, where).replace("-", "+").replace("_", "/"), validate=True)
    except (binascii.Error, ValueError):
        raise _refuse(value, where, "bytes in base64") from None


_SCALARS: dict[Any, Reader] = {
    None: _read_nothing,
    type(None): _read_nothing,
    bool: _read_bool,
    int: _read_int,
    float: _read_float,
    str: _read_text,
    bytes: _read_bytes,
}

# ------------------------------------------- values that pydantic does not know, and the containers that hold them


def _is_array(annotation: Any) -> bool:
    return annotation is numpy.ndarray or typing.get_origin(annotation) is numpy.ndarray


def _is_dataclass(annotation: Any) -> bool:
    # pydantic checks its own dataclasses by the rules that they declare.
    return dataclasses.is_dataclass(annotation) and not hasattr(annotation, "__pydantic_fields__")


def _needs_own_reader(annotation: Any, seen: tuple[Any, ...] = ()) -> bool:
    """Return whether ``annotation`` has an array, a ROS message or bytes at any depth."""
    if is_message_type(annotation) or _is_array(annotation) or annotation is bytes:
        return True
    if annotation in seen:
        return False
    if isinstance(annotation, type) and _is_dataclass(annotation):
        hints = _fields_of(annotation)
        return any(_needs_own_reader(hint, (*seen, annotation)) for hint in hints.values())
    if IS_VERSION_1 and typing.get_origin(annotation) in _CONTAINERS:
        return True  # inside lists, pydantic 1 would truncate a float to an int
    return any(_needs_own_reader(argument, (*seen, annotation)) for argument in _parts(annotation))


_CONTAINERS = (list, tuple, set, frozenset, dict, typing.Union, types.UnionType)


def _parts(annotation: Any) -> tuple[Any, ...]:
    arguments = typing.get_args(annotation)
    origin = typing.get_origin(annotation)
    if origin is typing.Literal:
        return ()
    return arguments[:1] if origin is typing.Annotated else arguments


def _fields_of(cls: type) -> dict[str, Any]:
    try:
        hints = typing.get_type_hints(cls, include_extras=True)
    except (NameError, TypeError) as error:
        raise DeclarationError(f"the fields of {cls.__name__} cannot be checked: {error}") from None
    return {f.name: hints[f.name] for f in dataclasses.fields(cls) if f.init}


def _own_reader(annotation: Any) -> Reader:
    if is_message_type(annotation):
        return functools.partial(message_fields.from_dict, annotation)
    if _is_array(annotation):
        return functools.partial(_read_array, _dtype_of(annotation))
    if isinstance(annotation, type) and _is_dataclass(annotation):
        return _dataclass_reader(annotation)
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return reader(arguments[0])
    if origin in (typing.Union, types.UnionType):
        return _union_reader([reader(argument) for argument in arguments])
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return _mapping_reader(reader(arguments[0]), reader(arguments[1]))
    if origin is tuple and arguments[-1:] != (Ellipsis,):
        return _tuple_reader([reader(argument) for argument in arguments])
    item = reader(arguments[0])
    build = _BUILDERS.get(origin, list)

    def read(value: Any, where: str) -> Any:
        if not isinstance(value, (list, tuple, set, frozenset, collections.deque, numpy.ndarray)):
            raise _refuse(value, where, "a list")
        return build(item(v, f"{where}[{i}]") for i, v in enumerate(value))

    return read


def _mapping_reader(key: Reader, item: Reader) -> Reader:
    def read_key(value: Any, where: str) -> Any:
        try:
            return key(value, where)
        except ArgumentError:
            # JSON turns every key of an object into text.
            for of_text in (int, float):
                try:
                    return key(of_text(value), where)
                except (ArgumentError, ValueError, TypeError):
                    continue
            raise

    def read(value: Any, where: str) -> Any:
        if not isinstance(value, Mapping):
            raise _refuse(value, where, "an object")
        return {read_key(k, f"{where}, key {shown(k)}"): item(v, f"{where}[{shown(k)}]") for k, v in value.items()}

    return read


def _tuple_reader(readers: list[Reader]) -> Reader:
    def read(value: Any, where: str) -> Any:
        if not isinstance(value, (list, tuple, numpy.ndarray)) or len(value) != len(readers):
            raise _refuse(value, where, f"a list of {len(readers)}")
        return tuple(one(v, f"{where}[{i}]") for i, (one, v) in enumerate(zip(readers, value, strict=True)))

    return read


def _union_reader(readers: list[Reader]) -> Reader:
    def read(value: Any, where: str) -> Any:
        found, faults = [], []
        for one in readers:
            try:
                result = one(value, where)
            except ArgumentError as error:
                faults.append(str(error))
                continue
            if result is value or (type(result) is type(value) and not isinstance(result, numpy.ndarray)):
                return result  # the value has this member's type already
            found.append(result)
        if not found:
            raise ArgumentError("; or ".join(faults))
        return found[0]

    return read


def _dataclass_reader(cls: Any) -> Reader:
    @functools.cache
    def readers() -> dict[str, Reader]:  # made at first use, since a dataclass may contain itself
        return {name: reader(hint) for name, hint in _fields_of(cls).items()}

    def read(value: Any, where: str) -> Any:
        if isinstance(value, cls):
            return value
        if not isinstance(value, Mapping):
            raise _refuse(value, where, f"the fields of {cls.__name__}")
        for name in value:
            if name not in readers():
                raise ArgumentError(f"{where}: {cls.__name__} has no field {shown(name)}; it has {listed(readers())}")
        fields = {name: readers()[name](v, f"{where}.{name}") for name, v in value.items()}
        try:
            return cls(**fields)
        except (TypeError, ValueError) as error:
            raise ArgumentError(f"{where}: {error}") from None

    return read


def _dtype_of(annotation: Any) -> Any:
    """Return the element type of ``NDArray[numpy.float32]``; None if the annotation has none."""
    for argument in typing.get_args(annotation)[1:]:
        for scalar in typing.get_args(argument):
            if isinstance(scalar, type) and issubclass(scalar, numpy.generic):
                return numpy.dtype(scalar) if scalar not in (numpy.floating, numpy.integer, numpy.number) else None
    return None


def _read_array(dtype: Any, value: Any, where: str) -> Any:
    if not isinstance(value, (list, tuple, int, float, array.array, numpy.ndarray, numpy.generic)):
        raise _refuse(value, where, "an array as a list")
    try:
        found = numpy.array(value)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise ArgumentError(f"{where}: {error}") from None
    if found.dtype.kind in "OUSV":
        raise ArgumentError(f"{where}: the elements of an array must be numbers, and its rows of one length")
    if dtype is None or found.dtype == dtype:
        return found
    if found.size and found.dtype.kind in "iu" and dtype.kind in "iu":
        bounds = numpy.iinfo(dtype)
        if found.min() < bounds.min or found.max() > bounds.max:
            raise ArgumentError(f"{where}: takes {dtype.name}, {bounds.min} to {bounds.max}")
    elif found.size and not numpy.can_cast(found.dtype, dtype, "same_kind"):
        raise ArgumentError(f"{where}: takes an array of {dtype.name}, not of {found.dtype.name}")
    return found.astype(dtype)
