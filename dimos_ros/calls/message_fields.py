"""ROS messages as plain dictionaries and back, by the message's own field types.

rosidl's setters check nothing by default: a wrong value is found in C when the message is sent, if at all. So each
value is checked here against the type that the interface file declares.
"""

from __future__ import annotations

import array
import functools
import importlib
import math
import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy

from dimos_ros.exceptions import ArgumentError
from dimos_ros.naming.wording import listed, shown

FieldReader = Callable[[Any, str], Any]

_TYPECODES = {
    "int8": "b",
    "uint8": "B",
    "int16": "h",
    "uint16": "H",
    "int32": "i",
    "uint32": "I",
    "int64": "q",
    "uint64": "Q",
    "char": "B",
    "float": "f",
    "double": "d",
}
_FLOAT32_MAX = 3.4028234663852886e38


def to_dict(message: Any) -> dict[str, Any]:
    """Return the fields of a message as dictionaries, lists, numbers and text."""
    return {name: _plain(getattr(message, name)) for name in message.get_fields_and_field_types()}


def _plain(value: Any) -> Any:
    if hasattr(value, "get_fields_and_field_types"):
        return to_dict(value)
    if isinstance(value, bytes):
        return value[0] if len(value) == 1 else list(value)  # an octet
    if isinstance(value, (array.array, numpy.ndarray)):
        return value.tolist()
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value.item() if isinstance(value, numpy.generic) else value


def from_dict(message_type: Any, fields: Any, where: str) -> Any:
    """Return a message of ``message_type`` with the given fields; the others keep their defaults.

    A message of that type is returned unchanged. ``where`` names the argument in the error. Raises ArgumentError.
    """
    if isinstance(fields, message_type):
        return fields
    if not isinstance(fields, Mapping):
        raise ArgumentError(
            f"{where}: {message_type.__name__} must be given as its fields by name, not as {short(fields)}"
        )
    readers = _field_readers(message_type)
    message = message_type()
    for name, value in fields.items():
        read = readers.get(name)
        if read is None:
            raise ArgumentError(
                f"{where}: {message_type.__name__} has no field {shown(str(name))}; it has {listed(readers)}"
            )
        setattr(message, name, read(value, f"{where}.{name}"))
    return message


@functools.cache
def _field_readers(message_type: Any) -> dict[str, FieldReader]:
    names = message_type.get_fields_and_field_types()
    return {name: _reader(slot) for name, slot in zip(names, message_type.SLOT_TYPES, strict=True)}


def _reader(declared: Any) -> FieldReader:
    """Return a function that checks a value against a rosidl type and converts it to the field's Python type."""
    from rosidl_parser import definition as idl

    if isinstance(declared, idl.BasicType):
        return _scalar_reader(declared.typename)
    if isinstance(declared, idl.AbstractGenericString):
        return _text_reader(getattr(declared, "maximum_size", None))
    if isinstance(declared, idl.NamespacedType):
        python_module = importlib.import_module(".".join(declared.namespaces))
        return functools.partial(from_dict, getattr(python_module, declared.name))
    fixed = declared.size if isinstance(declared, idl.Array) else None
    most = declared.maximum_size if isinstance(declared, idl.BoundedSequence) else None
    element = declared.value_type
    if isinstance(element, idl.BasicType) and element.typename in _TYPECODES:
        read = _numbers_reader(element.typename, as_array=fixed is None)
    else:
        read = _list_reader(_reader(element))

    def read_sized(value: Any, where: str) -> Any:
        result = read(value, where)
        if fixed is not None and len(result) != fixed:
            raise ArgumentError(f"{where}: takes {fixed} elements, not {len(result)}")
        if most is not None and len(result) > most:
            raise ArgumentError(f"{where}: takes at most {most} elements, not {len(result)}")
        return result

    return read_sized


def _scalar_reader(typename: str) -> FieldReader:
    if typename == "boolean":
        return _read_bool
    if typename == "octet":
        return _read_octet
    if typename in ("float", "double", "long double"):
        return functools.partial(_read_float, _FLOAT32_MAX if typename == "float" else None)
    if typename == "wchar":
        return _text_reader(1)
    bits = int(re.sub(r"\D", "", typename) or 8)  # "char" is a uint8
    signed = typename.startswith("int")
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    return functools.partial(_read_int, typename, low, high)


def _read_bool(value: Any, where: str) -> bool:
    if not isinstance(value, (bool, numpy.bool_)):
        raise ArgumentError(f"{where}: takes true or false, not {short(value)}")
    return bool(value)


def _read_octet(value: Any, where: str) -> bytes:
    if isinstance(value, bytes) and len(value) == 1:
        return value
    return bytes([_read_int("octet", 0, 255, value, where)])


def _read_int(typename: str, low: int, high: int, value: Any, where: str) -> int:
    if isinstance(value, (bool, numpy.bool_)) or not isinstance(value, (int, numpy.integer)):
        raise ArgumentError(f"{where}: takes {typename}, not {short(value)}")
    if not low <= value <= high:
        raise ArgumentError(f"{where}: takes {typename}, {low} to {high}, not {short(value)}")
    return int(value)


def _read_float(limit: float | None, value: Any, where: str) -> float:
    if isinstance(value, (bool, numpy.bool_)) or not isinstance(value, (int, float, numpy.integer, numpy.floating)):
        raise ArgumentError(f"{where}: takes a number, not {short(value)}")
    try:
        number = float(value)
    except OverflowError:
        raise ArgumentError(f"{where}: {short(value)} is too large for a double") from None
    if limit is not None and math.isfinite(number) and abs(number) > limit:
        raise ArgumentError(f"{where}: {number!r} is too large for a float32")
    return number


def _text_reader(most: int | None) -> FieldReader:
    def read(value: Any, where: str) -> str:
        if not isinstance(value, str):
            raise ArgumentError(f"{where}: takes text, not {short(value)}")
        if most is not None and len(value) > most:
            raise ArgumentError(f"{where}: takes at most {most} characters, not {len(value)}")
        return value

    return read


def _list_reader(read: FieldReader) -> FieldReader:
    def read_all(value: Any, where: str) -> list[Any]:
        if not isinstance(value, (list, tuple)):
            raise ArgumentError(f"{where}: takes a list, not {short(value)}")
        return [read(item, f"{where}[{i}]") for i, item in enumerate(value)]

    return read_all


def _numbers_reader(typename: str, *, as_array: bool) -> FieldReader:
    """Return a reader for a list of numbers, which rosidl holds as array.array, or as numpy array if of fixed size."""
    code = _TYPECODES[typename]
    dtype = numpy.dtype(code)

    def read(value: Any, where: str) -> Any:
        if not isinstance(value, (list, tuple, bytes, bytearray, array.array, numpy.ndarray)):
            raise ArgumentError(f"{where}: takes a list of {typename}, not {short(value)}")
        if isinstance(value, numpy.ndarray) and numpy.can_cast(value.dtype, dtype, "same_kind"):
            numbers = array.array(code)
            numbers.frombytes(numpy.ascontiguousarray(value.ravel(), dtype=dtype).tobytes())
        else:
            try:
                numbers = array.array(code, value)
            except (TypeError, ValueError, OverflowError) as error:
                raise ArgumentError(f"{where}: takes a list of {typename}: {error}") from None
        return numbers if as_array else numpy.frombuffer(numbers, dtype=dtype).copy()

    return read


def short(value: Any) -> str:
    """Return a value for an error; of a list or dictionary only the type, since its repr would say little."""
    return f"a {type(value).__name__}" if isinstance(value, (list, dict)) else shown(value)
