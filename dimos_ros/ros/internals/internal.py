"""An internal: one private part of rclpy that this package uses, as data with a probe. It is a row of the table."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass

from rclpy.context import Context
from rclpy.logging import get_logger


class NotNeededError(Exception):
    """This rclpy lacks a private part, or does not need its use. The text says which."""


@dataclass(frozen=True)
class Internal:
    """One use of private parts of rclpy.

    ``probe(context)`` tries it on the installed rclpy, in an initialized context, and returns a sentence about its
    observation. It raises NotNeededError if the fallback is taken, and any other error if neither way works.
    """

    name: str
    purpose: str
    touches: str
    """Names of the private parts, as in rclpy's source."""
    upstream: str
    """Issues and pull requests of rclpy about it; empty if none is known."""
    versions: str
    """The versions of rclpy that need it."""
    fallback: str
    """The behaviour without it; empty if nothing can take its place."""
    probe: Callable[[Context], str]


@dataclass(frozen=True)
class Finding:
    """The result of a probe: whether the internal is used here, and whether this package works with or without it."""

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
    """Probe one internal and return its finding. An error that the probe raises becomes the finding's text."""
    try:
        return Finding(internal, used=True, sound=True, text=internal.probe(context))
    except NotNeededError as reason:
        return Finding(internal, used=False, sound=bool(internal.fallback), text=str(reason))
    except Exception as error:
        return Finding(internal, used=False, sound=False, text=f"{type(error).__name__}: {error}")


@functools.cache
def warn_once(text: str) -> None:
    """Log a warning about a fallback, once per process and text."""
    get_logger("rclpy_internals").warning(text)
