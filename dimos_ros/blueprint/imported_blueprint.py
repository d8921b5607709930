"""What an import path names, as a blueprint: a Blueprint, a Module class, or a function that returns a Blueprint."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

from dimos_ros.blueprint import arguments as signature
from dimos_ros.blueprint.blueprint import Blueprint, as_blueprint
from dimos_ros.declaration.declared import Declared
from dimos_ros.exceptions import BlueprintError, DimosError
from dimos_ros.naming.import_path import import_object


def blueprint_of(path: str, arguments: Mapping[str, Any], robots: Sequence[str] = ()) -> tuple[Blueprint, bool]:
    """The blueprint at an import path, and whether it is a function that took the robots' names.

    ``arguments`` go to a function; so do ``robots`` where it has an argument of that name. Raises
    ClassNotFoundError for a path that leads nowhere, BlueprintError for what is no blueprint, for arguments that
    do not fit, and for a function that raises.
    """
    found = import_object(path)
    if isinstance(found, type) and issubclass(found, Declared):
        found = as_blueprint(found)
    if isinstance(found, Blueprint):
        if arguments:
            raise BlueprintError(f"{path} is no function, so it takes no arguments ({', '.join(arguments):.200})")
        return found, False
    if isinstance(found, type) or not callable(found):
        raise BlueprintError(
            f"{path} is {type(found).__name__} {found!r:.80}; a Blueprint, a Module class or a function that returns "
            "a Blueprint is wanted"
        )
    takes_robots = signature.takes(found, "robots")
    given = dict(arguments)
    if takes_robots and robots:
        if "robots" in given:
            raise BlueprintError(f"{path}: the robots are named twice, as robots and as an argument")
        given["robots"] = list(robots)
    bound = signature.bind(found, given, path)
    try:
        made = found(**bound)
    except DimosError as error:
        raise BlueprintError(f"{path}: {error}") from error
    except Exception as error:
        raise BlueprintError(f"{path} raised {type(error).__name__}: {error}{_line(error)}") from error
    if not isinstance(made, Blueprint):
        if inspect.iscoroutine(made):
            made.close()
        raise BlueprintError(f"{path} returned {made!r:.80}, which is no Blueprint; return autoconnect(…)")
    return made, takes_robots and bool(robots)


def _line(error: Exception) -> str:
    entry = error.__traceback__
    while entry is not None and entry.tb_next is not None:
        entry = entry.tb_next
    return f" ({entry.tb_frame.f_code.co_filename}, line {entry.tb_lineno})" if entry else ""
