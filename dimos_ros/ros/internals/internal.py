"""One private part of rclpy that this package uses, as data with a probe: a row of the table of internals."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass

from rclpy.context import Context
from rclpy.logging import get_logger


class NotNeededError(Exception):
    """This rclpy lacks a private part, or does not need what is done with it; the text says which."""


@dataclass(frozen=True)
class Internal:
    """A use of rclpy's private parts.

    ``probe(context)`` tries it on the rclpy that is installed, in an initialized context. It returns what it saw,
    raises NotNeededError where the fallback is taken, and anything else where neither would work.
    """

    name: str
    purpose: str
    touches: str
    """The private parts, as in rclpy's source."""
    upstream: str
    """Issues and pull requests of rclpy about it; empty where none is known."""
    versions: str
    """The versions of rclpy that it is for."""
    fallback: str
    """What is done without it; empty where nothing can take its place."""
    probe: Callable[[Context], str]


@dataclass(frozen=True)
class Finding:
    """What a probe found: whether the internal is used here, and whether this rclpy is sound with or without it."""

    internal: Internal
    used: bool
    sound: bool
    text: str

    @property
    def state(self) -> str:
        """``used``, ``fallback`` or ``BROKEN``."""
        if not self.sound:
            return "BROKEN"
        return "used" if self.used else "fallback"


def examine(internal: Internal, context: Context) -> Finding:
    """Probe one internal. Raises nothing: what a probe raises is its finding."""
    try:
        return Finding(internal, used=True, sound=True, text=internal.probe(context))
    except NotNeededError as reason:
        return Finding(internal, used=False, sound=bool(internal.fallback), text=str(reason))
    except Exception as error:
        return Finding(internal, used=False, sound=False, text=f"{type(error).__name__}: {error}")


@functools.cache
def warn_once(text: str) -> None:
    """Log, the first time that this process has to say so, that a fallback is taken."""
    get_logger("rclpy_internals").warning(text)
