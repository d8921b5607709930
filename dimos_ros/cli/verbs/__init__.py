"""The verbs of the command line. Each verb is a file of this folder.

The first line of its docstring is its help. It has ``add_arguments(parser)`` and ``run(arguments, output)``.
"""

from __future__ import annotations

import argparse
import importlib
import pkgutil
from typing import Any, Protocol, cast

from dimos_ros.cli.output import Output


class Verb(Protocol):
    """Verb of the command line: the file that implements it."""

    __doc__: str | None

    def add_arguments(self, parser: argparse.ArgumentParser) -> None: ...

    def run(self, arguments: argparse.Namespace, output: Output) -> Any: ...


VERBS: dict[str, Verb] = {
    file.name: cast("Verb", importlib.import_module(f"{__name__}.{file.name}"))
    for file in pkgutil.iter_modules(__path__)
}
"""Every verb by its name."""
