"""How an error that a node's code raised is worded and logged."""

from __future__ import annotations

import traceback
from typing import Any

from dimos_ros.exceptions import ModuleFailedError


class Interrupted(BaseException):
    """Raised inside a node's code to end it, when the node is taken down and does not come to an end."""


def error_text(error: BaseException) -> str:
    """``ValueError: no such file``; of a ModuleFailedError the message alone, which is a sentence already."""
    return str(error) if isinstance(error, ModuleFailedError) else f"{type(error).__name__}: {error}"


def traceback_text(error: BaseException) -> str:
    """The traceback as Python prints it."""
    return "".join(traceback.format_exception(type(error), error, error.__traceback__))


def raised_text(where: str, error: BaseException) -> str:
    """One line about what a callback raised: ``on_timer: ValueError: no such file``."""
    separator = " " if isinstance(error, ModuleFailedError) else ": "
    return f"{where}{separator}{error_text(error)}"


def log_raised(logger: Any, where: str, error: BaseException) -> str:
    """Log what a callback raised, with its traceback if it has one. Returns :func:`raised_text`."""
    text = raised_text(where, error)
    if isinstance(error, ModuleFailedError):
        logger.error(text)
    else:
        logger.error(f"{where} raised {error_text(error)}\n{traceback_text(error)}")
    return text
