"""Checks that a container can load a class by its import path, and the paths of its bases."""

from __future__ import annotations

import sys
from functools import reduce
from typing import Any

from dimos_ros.declaration.declared import Declared, ancestors_of
from dimos_ros.exceptions import BlueprintError
from dimos_ros.naming.import_path import LONGEST_PATH, path_of
from dimos_ros.naming.wording import shown


def check_module_class(candidate: Any) -> None:
    """Raise BlueprintError unless ``candidate`` is a Module subclass that an import path can name."""
    if not (isinstance(candidate, type) and issubclass(candidate, Declared)):
        raise BlueprintError(f"{shown(candidate, LONGEST_PATH)} is not a Module subclass")
    if candidate._is_base:
        raise BlueprintError(f"{candidate.__name__} itself does nothing; make a blueprint of a subclass")
    name = candidate.__qualname__
    if candidate.__module__ == "__main__":
        raise BlueprintError(
            f"{name} is defined in the program that was started (__main__), which a container cannot import: "
            f"move it to a Python module, such as my_modules.py, and 'from my_modules import {name}'"
        )
    if "<locals>" in name:
        raise BlueprintError(
            f"{candidate.__module__}:{name} is defined inside a function, where a container cannot import it: "
            "define it at the top of its Python module"
        )


def check_importable(module: type[Declared], owner: str) -> None:
    """Raise BlueprintError if the import path of a class does not lead to the class."""
    path = path_of(module)
    try:
        python_module: Any = sys.modules[module.__module__]
        found = reduce(getattr, module.__qualname__.split("."), python_module)
    except (KeyError, AttributeError):
        raise BlueprintError(
            f"{owner}: a container cannot import {path}: the Python module does not have the class under that name"
        ) from None
    if found is not module:
        raise BlueprintError(
            f"{owner}: {path} now names another class (defined twice, decorated or reloaded), which a container would "
            "load instead; give each class a name of its own"
        )


def base_paths(module: type) -> tuple[str, ...]:
    """Return the import paths of a class and of the module classes above it, its own first."""
    return tuple(path_of(base) for base in ancestors_of(module)) or (path_of(module),)
