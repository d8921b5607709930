"""The verbs. Each is a file of this folder: the first line of its docstring says what it is for, and it has
``add_arguments(parser)`` and ``run(arguments, output)``."""

from __future__ import annotations

import argparse
import importlib
import pkgutil
from typing import Any, Protocol, cast

from dimos_ros.cli.output import Output


class Verb(Protocol):
    """What a verb's file has."""

    __doc__: str | None

    def add_arguments(self, parser: argparse.ArgumentParser) -> None: ...

    def run(self, arguments: argparse.Namespace, output: Output) -> Any: ...


VERBS: dict[str, Verb] = {
    file.name: cast("Verb", importlib.import_module(f"{__name__}.{file.name}"))
    for file in pkgutil.iter_modules(__path__)
}
"""Every verb by its name."""
