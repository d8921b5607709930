"""Print the interface of modules: ``python -m dimos_ros.module my_pkg.mapping:Mapper``."""

from __future__ import annotations

import argparse
import sys

from dimos_ros.exceptions import DimosError
from dimos_ros.module.module import Module
from dimos_ros.naming.import_path import import_object
from dimos_ros.naming.wording import shown


def main(arguments: list[str] | None = None) -> int:
    """Print the interfaces. Return 0, or 1 at the first path that does not name a Module subclass."""
    parser = argparse.ArgumentParser(prog="python -m dimos_ros.module", description=__doc__)
    parser.add_argument("path", nargs="+", metavar="package.module:Class", help="import path of a Module subclass")
    for path in parser.parse_args(arguments).path:
        try:
            found = import_object(path)
            if not (isinstance(found, type) and issubclass(found, Module)):
                raise DimosError(f"{path} is not a Module subclass but {shown(found)}")
            print(found.describe())
        except DimosError as error:
            print(error, file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
