"""What calls need of pydantic, the same from version 1.10 (Ubuntu 24.04's) and from version 2.

Checking data against any type hint, and JSON both ways.
"""

from __future__ import annotations

import base64
import dataclasses
import json
import typing
from collections.abc import Callable
from typing import Any

import pydantic

IS_VERSION_1 = pydantic.VERSION.startswith("1.")

if not IS_VERSION_1:
    import pydantic_core

Check = Callable[[Any], Any]


class Fault(ValueError):
    """Data does not fit a hint: where in it, and why."""

    def __init__(self, path: tuple[Any, ...], text: str) -> None:
        super().__init__("".join(f"[{part!r}]" for part in path) + f": {text}")


def dump_json(value: Any, fallback: Callable[[Any], Any]) -> str:
    """``value`` as JSON; ``fallback(x)`` gives plain data for an x that is no data. bytes become base64.

    Raises ValueError, TypeError or RecursionError for what has no JSON form.
    """
    if IS_VERSION_1:
        return json.dumps(value, default=lambda x: _plain(x, fallback))
    return pydantic_core.to_json(value, fallback=fallback, bytes_mode="base64", inf_nan_mode="constants").decode()


def load_json(text: str) -> Any:
    """Plain data from JSON. Raises ValueError or RecursionError."""
    return json.loads(text) if IS_VERSION_1 else pydantic_core.from_json(text)


def checker(annotation: Any) -> Check:
    """A function that checks plain data (or the thing itself) against a hint and converts it; raises Fault.

    Raises whatever pydantic does for a hint that it cannot work with.
    """
    return _checker_1(annotation) if IS_VERSION_1 else _checker_2(annotation)


def _checker_2(annotation: Any) -> Check:
    adapter: Any = pydantic.TypeAdapter(annotation)
    if not getattr(adapter, "pydantic_complete", True):
        raise NameError("it names something that is not defined")
    validate = adapter.validate_python

    def check(value: Any) -> Any:
        try:
            return validate(value)
        except pydantic.ValidationError as error:
            # Data from JSON has rules of its own for what JSON has no form for.
            try:
                return adapter.validate_json(dump_json(value, _arrays_only))
            except (ValueError, TypeError, RecursionError):
                raise _fault(error.errors(include_url=False)[0]) from None

    return check


def _checker_1(annotation: Any) -> Check:
    if isinstance(annotation, (str, typing.ForwardRef)):
        raise NameError("it names something that is not defined")
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
        text += f", given {error['input']!r:.80}"
    return Fault(error["loc"], text)


def _arrays_only(value: Any) -> Any:
    if hasattr(value, "tolist"):
        return value.tolist()
    raise ValueError(f"{type(value).__name__} is no data")


def _plain(value: Any, fallback: Callable[[Any], Any]) -> Any:
    """For version 1 and the standard library's JSON: what version 2 does by itself."""
    if isinstance(value, (bytes, bytearray)):
        return base64.b64encode(value).decode()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
    encode: Any = __import__("pydantic.json", fromlist=["pydantic_encoder"]).pydantic_encoder
    try:
        return encode(value)
    except TypeError:
        return fallback(value)
