"""The parts of pydantic that calls use: checking data against any type hint, and JSON both ways.

They work the same with version 1.10, which Ubuntu 24.04 has, and with version 2.
"""

from __future__ import annotations

import base64
import dataclasses
import json
import typing
from collections.abc import Callable
from typing import Any

import pydantic

from dimos_ros.naming.wording import shown

IS_VERSION_1 = pydantic.VERSION.startswith("1.")

if not IS_VERSION_1:
    import pydantic_core

Check = Callable[[Any], Any]


class Fault(ValueError):
    """Data that does not fit a hint: the place in the data, and the reason."""

    def __init__(self, path: tuple[Any, ...], text: str) -> None:
        super().__init__("".join(f"[{part!r}]" for part in path) + f": {text}")


def dump_json(value: Any, fallback: Callable[[Any], Any]) -> str:
    """Return ``value`` as JSON; bytes become base64, and ``fallback(x)`` makes plain data of an unknown x.

    Raises ValueError, TypeError or RecursionError for a value without a JSON form.
    """
    if IS_VERSION_1:
        return json.dumps(value, default=lambda x: _plain(x, fallback))
    return pydantic_core.to_json(value, fallback=fallback, bytes_mode="base64", inf_nan_mode="constants").decode()


def load_json(text: str) -> Any:
    """Return the plain data of a JSON text. Raises ValueError or RecursionError."""
    return json.loads(text) if IS_VERSION_1 else pydantic_core.from_json(text)


def checker(annotation: Any) -> Check:
    """Return a function that checks a value against a hint and converts it; it raises Fault.

    The value is plain data, or already of the hint's type. Raises pydantic's own errors for a hint that pydantic
    cannot use.
    """
    return _checker_1(annotation) if IS_VERSION_1 else _checker_2(annotation)


def _checker_2(annotation: Any) -> Check:
    adapter: Any = pydantic.TypeAdapter(annotation)
    if not getattr(adapter, "pydantic_complete", True):
        raise NameError("the hint names something that is not defined")
    validate = adapter.validate_python

    def check(value: Any) -> Any:
        try:
            return validate(value)
        except pydantic.ValidationError as error:
            # In its JSON mode pydantic also accepts substitutes for types that JSON lacks.
            try:
                return adapter.validate_json(dump_json(value, _arrays_only))
            except (ValueError, TypeError, RecursionError):
                raise _fault(error.errors(include_url=False)[0]) from None

    return check


def _checker_1(annotation: Any) -> Check:
    if isinstance(annotation, (str, typing.ForwardRef)):
        raise NameError("the hint names something that is not defined")
    create: Any = pydantic.create_model
    model = create("Value", value=(annotation, ...))

    def check(value: Any) -> Any:
        try:
            return model(value=value).value
        except pydantic.ValidationError as error:
            try:
                return model(value=json.loads(dump_json(value, _arrays_only))).value
            except (ValueError, TypeError, RecursionError):
                first: Any = error.errors()[0]
                raise _fault({**first, "loc": first["loc"][1:]}) from None

    return check


def _fault(error: Any) -> Fault:
    text = error["msg"]
    if "input" in error:
        text += f", given {shown(error['input'])}"
    return Fault(error["loc"], text)


def _arrays_only(value: Any) -> Any:
    if hasattr(value, "tolist"):
        return value.tolist()
    raise ValueError(f"{type(value).__name__} is not plain data")


def _plain(value: Any, fallback: Callable[[Any], Any]) -> Any:
    """Return plain data for the standard library's JSON, as version 2 does by itself."""
    if isinstance(value, (bytes, bytearray)):
        return base64.b64encode(value).decode()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
    encode: Any = __import__("pydantic.json", fromlist=["pydantic_encoder"]).pydantic_encoder
    try:
        return encode(value)
    except TypeError:
        return fallback(value)
