"""Conversion of a call's values to JSON and back.

pydantic writes and reads JSON. It does not know numpy arrays and ROS messages; this file writes them, at any depth,
in the plain or the encoded form of :mod:`dimos_ros.calls.wire`.
"""

from __future__ import annotations

import array
import base64
import json
import math
import re
from typing import Any

import numpy

from dimos_ros.calls import message_fields
from dimos_ros.calls.conversion_pydantic import dump_json, load_json
from dimos_ros.calls.wire import ARRAY, MESSAGE
from dimos_ros.declaration.message_types import loaded_type, type_name
from dimos_ros.exceptions import ArgumentError
from dimos_ros.naming.wording import shown

_CDR_HEADER = b"\0\1\0\0"
"""The first bytes of a message in plain little-endian CDR."""

_QUOTED_MESSAGE, _QUOTED_ARRAY = f'"{MESSAGE}"', f'"{ARRAY}"'

_DTYPE = re.compile(r"[<>|][biufc]\d{1,2}\Z")


def to_json(value: Any, *, encoded: bool = False) -> str:
    """Return ``value`` as JSON text; it may hold dataclasses, enums, arrays and messages.

    ``encoded`` writes arrays and messages in the encoded form. Raises ArgumentError for a value without a JSON form.
    """
    try:
        return dump_json(value, _encoded if encoded else _listed)
    except (ValueError, TypeError, RecursionError) as error:
        raise ArgumentError(f"{type(value).__name__} has no JSON form: {error}") from None


def from_json(text: str, what: str) -> Any:
    """Return the data of a JSON text: encoded arrays and messages as such, everything else as plain data.

    ``what`` names the text in the error. Raises ArgumentError for a text that is not JSON.
    """
    try:
        if '"$' in text and (_QUOTED_MESSAGE in text or _QUOTED_ARRAY in text):
            return json.loads(text, object_hook=_decoded)
        return load_json(text)
    except RecursionError:
        raise ArgumentError(f"{what} is nested too deeply to be read as JSON") from None
    except ValueError as error:
        raise ArgumentError(f"{what} is not JSON: {error}") from None


def _listed(value: Any) -> Any:
    if isinstance(value, (numpy.ndarray, numpy.generic, array.array)):
        return value.tolist()
    if hasattr(value, "get_fields_and_field_types"):
        return message_fields.to_dict(value)
    raise ValueError(f"{type(value).__name__} is neither data nor a ROS message")


def _encoded(value: Any) -> Any:
    if isinstance(value, numpy.ndarray) and _DTYPE.match(value.dtype.str):
        return {ARRAY: value.dtype.str, "shape": value.shape, "data": _base64(value.tobytes())}
    if hasattr(value, "get_fields_and_field_types"):
        from rclpy.serialization import serialize_message

        try:
            cdr = serialize_message(value)
        except Exception as error:  # a field holds a value that its type does not allow
            raise ValueError(f"{type_name(type(value))} cannot be sent: {error}") from None
        return {MESSAGE: type_name(type(value)), "cdr": _base64(cdr)}
    return _listed(value)


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _decoded(fields: dict[str, Any]) -> Any:
    """Return the array or message of an encoded JSON object; any other object unchanged. Raises ValueError."""
    if fields.keys() == {MESSAGE, "cdr"}:
        message_type = loaded_type(fields[MESSAGE])
        if message_type is None:
            raise ValueError(f"this process has not loaded a ROS message type {shown(fields[MESSAGE])}")
        return _message(message_type, _bytes(fields["cdr"]))
    if fields.keys() == {ARRAY, "shape", "data"}:
        return _array(fields[ARRAY], fields["shape"], _bytes(fields["data"]))
    return fields


def _bytes(text: Any) -> bytes:
    if not isinstance(text, str):
        raise ValueError("encoded data must be base64 text")
    return base64.b64decode(text, validate=True)


def _message(message_type: Any, cdr: bytes) -> Any:
    from rclpy.serialization import deserialize_message

    if not cdr.startswith(_CDR_HEADER):
        # Accept only plain little-endian CDR. With other headers (their padding bits) Fast CDR has been seen to read
        # past the end of the buffer.
        raise ValueError(f"this is not an encoded {message_type.__name__}: it must begin with plain little-endian CDR")
    try:
        return deserialize_message(cdr, message_type)
    except Exception as error:
        raise ValueError(f"this is not an encoded {message_type.__name__}: {error}") from None


def _array(dtype: Any, shape: Any, data: bytes) -> Any:
    if not (isinstance(dtype, str) and _DTYPE.match(dtype)):
        raise ValueError(f"an encoded array cannot have the element type {shown(dtype)}")
    if not (isinstance(shape, list) and all(type(n) is int and n >= 0 for n in shape) and len(shape) <= 32):
        raise ValueError("the shape of an array must be a list of lengths")
    try:
        kind = numpy.dtype(dtype)
    except TypeError as error:
        raise ValueError(str(error)) from None
    size = math.prod(shape) * kind.itemsize
    if len(data) != size:
        raise ValueError(f"an array of shape {shape} and type {dtype} must have {size} bytes, not {len(data)}")
    return numpy.frombuffer(data, dtype=kind).reshape(shape).copy()
