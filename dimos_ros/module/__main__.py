"""Prints the interface of modules: ``python -m dimos_ros.module my_pkg.mapping:Mapper``."""

from __future__ import annotations

import argparse
import sys

from dimos_ros.exceptions import DimosError
from dimos_ros.module.module import Module
from dimos_ros.naming.import_path import import_object


def main(arguments: list[str] | None = None) -> int:
    """0 if all were printed, 1 if one is no module."""
    parser = argparse.ArgumentParser(prog="python -m dimos_ros.module", description=__doc__)
    parser.add_argument("path", nargs="+", metavar="package.module:Class", help="import path of a Module subclass")
    for path in parser.parse_args(arguments).path:
        try:
            found = import_object(path)
            if not (isinstance(found, type) and issubclass(found, Module)):
                raise DimosError(f"{path} is no Module subclass but {found!r}")
            print(found.describe())
        except DimosError as error:
            print(error, file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
