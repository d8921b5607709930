"""The blueprint at an import path, which names a Blueprint, a Module class or a function that returns a Blueprint."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Mapping, Sequence
from typing import Any

from dimos_ros.blueprint import arguments as signature
from dimos_ros.blueprint.blueprint import Blueprint, as_blueprint
from dimos_ros.declaration.declared import Declared
from dimos_ros.exceptions import BlueprintError, DimosError, message_of
from dimos_ros.naming.import_path import import_object
from dimos_ros.naming.wording import listed, shown


def blueprint_of(path: str, arguments: Mapping[str, Any], robots: Sequence[str] = ()) -> tuple[Blueprint, bool]:
    """Return the blueprint at an import path, and whether a function there took the robots' names.

    A function gets ``arguments``, and ``robots`` if it has a parameter of that name. Raises ClassNotFoundError if
    the path leads nowhere. Raises BlueprintError if it does not lead to a blueprint, if arguments do not fit, or if
    the function raises.
    """
    found = import_object(path)
    if isinstance(found, type) and issubclass(found, Declared):
        found = as_blueprint(found)
    if isinstance(found, Blueprint):
        if arguments:
            raise BlueprintError(f"{path} is not a function, so it takes no arguments ({listed(arguments)})")
        return found, False
    if isinstance(found, type) or not callable(found):
        raise BlueprintError(
            f"{path} is {type(found).__name__} {shown(found)}; it must be a Blueprint, a Module class or a function "
            "that returns a Blueprint"
        )
    takes_robots = signature.takes(found, "robots")
    given = dict(arguments)
    if takes_robots and robots:
        if "robots" in given:
            raise BlueprintError(f"{path}: the robots are named twice, as robots and as the argument 'robots'")
        given["robots"] = list(robots)
    bound = signature.bind(found, given, path)
    try:
        made = found(**bound)
    except DimosError as error:
        raise BlueprintError(f"{path}: {error}") from error
    except BaseException as error:  # sys.exit() in a blueprint function is an error of the blueprint
        if isinstance(error, KeyboardInterrupt) and threading.current_thread() is threading.main_thread():
            raise  # Ctrl-C
        text = f"{type(error).__name__}: {message_of(error)}"
        raise BlueprintError(f"{path} raised {text}{_line(error)}") from error
    if not isinstance(made, Blueprint):
        if inspect.iscoroutine(made):
            made.close()
        raise BlueprintError(f"{path} returned {shown(made)}, which is not a Blueprint; return autoconnect(…)")
    return made, takes_robots and bool(robots)


def _line(error: BaseException) -> str:
    entry = error.__traceback__
    while entry is not None and entry.tb_next is not None:
        entry = entry.tb_next
    return f" ({entry.tb_frame.f_code.co_filename}, line {entry.tb_lineno})" if entry else ""
