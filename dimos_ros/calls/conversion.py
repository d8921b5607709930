"""Values of a call to JSON and back, by type hints.

pydantic checks and converts. numpy arrays, ROS messages and bytes, which it does not know or has other rules
for, are taken apart here wherever they stand inside lists, dictionaries, optionals and dataclasses.

A person writes a message as its fields and an array as a list. Between Python and Python, where the caller
says that it understands that, both travel encoded, which keeps their exact type and is a hundred times
faster for images and the like::

    {"$message": "sensor_msgs/msg/Image", "cdr": "<base64>"}
    {"$array": "<f4", "shape": [480, 640], "data": "<base64>"}
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
from dimos_ros.declaration.message_types import loaded_type, type_name
from dimos_ros.exceptions import ArgumentError

ENCODED = "$encoded"
"""Beside the arguments: true asks for a result in the form for Python."""

POSITIONAL = "$positional"
"""Instead of arguments by name: a list of them by position, where there is something beside them."""

_CDR_HEADER = b"\0\1\0\0"
"""How a serialized message begins: plain CDR, little endian."""

_DTYPE = re.compile(r"[<>|][biufc]\d{1,2}\Z")


def to_json(value: Any, *, encoded: bool = False) -> str:
    """``value`` as JSON text: dataclasses, enums, arrays and messages included.

    ``encoded``: arrays and messages in the form for Python. Raises ArgumentError for something that has no
    JSON form.
    """
    try:
        return dump_json(value, _encoded if encoded else _listed)
    except (ValueError, TypeError, RecursionError) as error:
        raise ArgumentError(f"{type(value).__name__} has no JSON form: {error}") from None


def from_json(text: str, what: str) -> Any:
    """Plain data from JSON text, arrays and messages in it that are encoded as themselves.

    ``what`` names it in the ArgumentError that bad JSON raises.
    """
    try:
        if '"$' in text and ('"$message"' in text or '"$array"' in text):
            return json.loads(text, object_hook=_decoded)
        return load_json(text)
    except RecursionError:
        raise ArgumentError(f"{what} is not JSON that can be read: it is nested too deeply") from None
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
        return {"$array": value.dtype.str, "shape": value.shape, "data": _base64(value.tobytes())}
    if hasattr(value, "get_fields_and_field_types"):
        from rclpy.serialization import serialize_message

        try:
            cdr = serialize_message(value)
        except Exception as error:  # a field holds something that its type cannot
            raise ValueError(f"{type_name(type(value))} cannot be sent: {error}") from None
        return {"$message": type_name(type(value)), "cdr": _base64(cdr)}
    return _listed(value)


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _decoded(fields: dict[str, Any]) -> Any:
    """A JSON object that is an encoded array or message as that; any other as it is. Raises ValueError."""
    if fields.keys() == {"$message", "cdr"}:
        message_type = loaded_type(fields["$message"])
        if message_type is None:
            raise ValueError(f"no ROS message type {fields['$message']!r:.80} is in use here")
        return _message(message_type, _bytes(fields["cdr"]))
    if fields.keys() == {"$array", "shape", "data"}:
        return _array(fields["$array"], fields["shape"], _bytes(fields["data"]))
    return fields


def _bytes(text: Any) -> bytes:
    if not isinstance(text, str):
        raise ValueError("encoded data is base64 text")
    return base64.b64decode(text, validate=True)


def _message(message_type: Any, cdr: bytes) -> Any:
    from rclpy.serialization import deserialize_message

    if not cdr.startswith(_CDR_HEADER):
        # With others, and what they say of padding, Fast CDR has been seen to read beyond the end.
        raise ValueError(f"that is no encoded {message_type.__name__}: it does not begin as one")
    try:
        return deserialize_message(cdr, message_type)
    except Exception as error:
        raise ValueError(f"that is no encoded {message_type.__name__}: {error}") from None


def _array(dtype: Any, shape: Any, data: bytes) -> Any:
    if not (isinstance(dtype, str) and _DTYPE.match(dtype)):
        raise ValueError(f"an array of type {dtype!r:.80} cannot be encoded")
    if not (isinstance(shape, list) and all(type(n) is int and n >= 0 for n in shape) and len(shape) <= 32):
        raise ValueError("the shape of an array is a list of lengths")
    try:
        kind = numpy.dtype(dtype)
    except TypeError as error:
        raise ValueError(str(error)) from None
    if len(data) != math.prod(shape) * kind.itemsize:
        raise ValueError(f"an array of shape {shape} has other data")
    return numpy.frombuffer(data, dtype=kind).reshape(shape).copy()
