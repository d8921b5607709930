"""Wording and logging of errors that a node's code raised."""

from __future__ import annotations

import traceback
from typing import Any

from dimos_ros.exceptions import ModuleFailedError, message_of


class Interrupted(BaseException):
    """The error that a container raises inside a node's code to end it, when the node hangs while it is taken down."""


def error_text(error: BaseException) -> str:
    """Return an error's type and message, such as ``ValueError: no such file``.

    A ModuleFailedError gives only its message, because that is a sentence already.
    """
    message = message_of(error)
    if isinstance(error, ModuleFailedError):
        return message
    return f"{type(error).__name__}: {message}" if message else type(error).__name__


def traceback_text(error: BaseException) -> str:
    """Return the traceback as Python prints it."""
    return "".join(traceback.format_exception(type(error), error, error.__traceback__))


def raised_text(where: str, error: BaseException) -> str:
    """Return one line about an error that a callback raised, such as ``on_timer: ValueError: no such file``."""
    separator = " " if isinstance(error, ModuleFailedError) else ": "
    return f"{where}{separator}{error_text(error)}"


def log_raised(logger: Any, where: str, error: BaseException) -> str:
    """Log an error that a callback raised, and return :func:`raised_text`.

    The traceback is logged too, except for a ModuleFailedError.
    """
    text = raised_text(where, error)
    if isinstance(error, ModuleFailedError):
        logger.error(text)
    else:
        logger.error(f"{where} raised {error_text(error)}\n{traceback_text(error)}")
    return text
