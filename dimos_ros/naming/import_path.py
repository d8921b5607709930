"""Import paths, ``package.module:name``: they name classes and blueprints across processes."""

from __future__ import annotations

import importlib
import sys
import threading
from typing import Any

from dimos_ros.exceptions import ClassNotFoundError, message_of
from dimos_ros.naming.wording import listed, shown

LONGEST_PATH = 200
"""Characters of an import path that an error shows."""


def path_of(cls: type) -> str:
    """Return the import path of a class: where it is defined, not whether it can be imported there."""
    return f"{cls.__module__}:{cls.__qualname__}"


def import_object(path: str) -> Any:
    """Import the object at an import path.

    Raises ClassNotFoundError if the path has another form, or if the Python module is missing or lacks the name. It
    also stands for anything that the import raises, ``SystemExit`` included.
    """
    path_text = shown(path, LONGEST_PATH)
    module_name, colon, name = path.partition(":")
    if not (module_name and colon and name):
        raise ClassNotFoundError(f"{path_text} is not an import path; one looks like my_pkg.my_module:name")
    try:
        found: Any = importlib.import_module(module_name)
    except KeyboardInterrupt:
        if threading.current_thread() is threading.main_thread():
            raise  # Ctrl-C; in another thread, the imported code raised it
        raise ClassNotFoundError(f"{path_text}: importing {module_name} raised KeyboardInterrupt") from None
    except ModuleNotFoundError as error:
        if error.name and (module_name == error.name or module_name.startswith(f"{error.name}.")):
            raise ClassNotFoundError(
                f"{path_text}: there is no Python module {error.name!r} on the path "
                f"({', '.join(entry or '.' for entry in sys.path[:4])}, …)"
            ) from error
        raise ClassNotFoundError(f"{path_text}: {module_name} needs {error.name!r}, which is missing") from error
    except BaseException as error:
        raise ClassNotFoundError(
            f"{path_text}: importing {module_name} failed: {type(error).__name__}: {message_of(error)}{_place(error)}"
        ) from error
    for part in name.split("."):
        try:
            found = getattr(found, part)
        except AttributeError:
            public = [n for n in dir(found) if not n.startswith("_")]
            raise ClassNotFoundError(
                f"{path_text}: {module_name} has no {part!r}; it has {listed(public, like=part)}"
            ) from None
    return found


def _place(error: BaseException) -> str:
    """Return the file and line where an import failed, as the tail of an error; empty if unknown."""
    if isinstance(error, SyntaxError) and error.filename:
        return ""  # its own text has file and line
    entry = error.__traceback__
    last = None
    while entry is not None:
        if "importlib" not in entry.tb_frame.f_code.co_filename:
            last = entry
        entry = entry.tb_next
    if last is None or last.tb_frame.f_code.co_filename == __file__:
        return ""
    return f" ({last.tb_frame.f_code.co_filename}, line {last.tb_lineno})"
