"""Annotations as the source has them, and the names that they may use."""

from __future__ import annotations

import inspect
import sys
import types
import typing
from collections.abc import Callable
from typing import Any


def annotations_of(owner: type | Callable[..., Any]) -> dict[str, Any]:
    """Return the annotations of a class or function: text stays text, undefined names are forward references."""
    if sys.version_info >= (3, 14):
        import annotationlib

        return dict(annotationlib.get_annotations(owner, format=annotationlib.Format.FORWARDREF))
    return inspect.get_annotations(owner)


def enclosing_scopes(python_module: str) -> list[dict[str, Any]]:
    """Return the local names of each running function of a Python module, the innermost first.

    A class or function that is defined inside a function may be annotated with that function's names.
    """
    found: list[dict[str, Any]] = []
    frame: types.FrameType | None = sys._getframe(1)
    while frame is not None:
        if frame.f_globals.get("__name__") == python_module and frame.f_locals is not frame.f_globals:
            found.append(dict(frame.f_locals))
        frame = frame.f_back
    return found


def is_protocol(cls: type) -> bool:
    """Return whether a class is itself a ``typing.Protocol``, rather than an implementation of one."""
    return bool(getattr(cls, "_is_protocol", False))


def protocol_methods(protocol: type) -> dict[str, Callable[..., Any]]:
    """Return the public methods of a Protocol by name, with those of its bases."""
    found: dict[str, Callable[..., Any]] = {}
    for base in reversed(protocol.__mro__):
        if is_protocol(base) and base is not typing.Protocol:
            found.update({n: f for n, f in vars(base).items() if inspect.isfunction(f) and not n.startswith("_")})
    return found
