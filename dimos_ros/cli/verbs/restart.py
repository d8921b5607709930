"""Restart one module, or all modules of a namespace, in place and with their current source."""

from __future__ import annotations

import argparse
from typing import Any

from dimos_ros.cli.completion import complete_class, complete_namespace, complete_node_name
from dimos_ros.cli.fleet_client import add_request_id, change_fleet
from dimos_ros.cli.output import Output


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_module_arguments(parser, "restart")
    parser.add_argument(
        "--no-reload",
        action="store_true",
        help="restart with the source that is already imported (default: import the current source)",
    )


def add_module_arguments(parser: argparse.ArgumentParser, verb: str) -> None:
    """Add the arguments that ``restart`` and ``unload`` share."""
    namespace = parser.add_argument(
        "namespace", help=f'namespace of the modules to {verb}, e.g. robot1; "/" is the global one'
    )
    complete_namespace(namespace)
    kind = parser.add_argument(
        "module",
        nargs="?",
        default="",
        metavar="class",
        help="class of the module, or its node name: Mapper or mapper; "
        f"without it, all modules of the namespace and below it are {verb}ed",
    )
    complete_class(kind)
    name = parser.add_argument(
        "--name",
        default="",
        help="node name of the module; needed if the namespace has several modules of the class",
    )
    complete_node_name(name)
    add_request_id(parser)


def change_modules(arguments: argparse.Namespace, output: Output, verb: str, **fields: Any) -> None:
    """Ask the coordinator to apply a verb to one module; without a class and a name, to the whole namespace."""
    fields["node_namespace"] = arguments.namespace
    if arguments.module or arguments.name:
        names = {"class_name": arguments.module, "node_name": arguments.name}
        change_fleet(arguments, output, f"{verb}Module", **fields, **names)
    else:
        change_fleet(arguments, output, f"{verb}Namespace", **fields)


def run(arguments: argparse.Namespace, output: Output) -> None:
    change_modules(arguments, output, "Restart", reload_source=not arguments.no_reload)
