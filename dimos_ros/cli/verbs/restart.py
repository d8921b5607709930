"""Restart one module in place, or a whole namespace: same names, same wiring, current source."""

from __future__ import annotations

import argparse

from dimos_ros.cli.completion import complete_class, complete_namespace, complete_node_name
from dimos_ros.cli.fleet_client import FleetClient
from dimos_ros.cli.output import Output
from dimos_ros.cli.requests import ask


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_module_arguments(parser, "restart")
    parser.add_argument(
        "--no-reload", action="store_true", help="do not import the module's source again (default: edits take effect)"
    )


def add_module_arguments(parser: argparse.ArgumentParser, verb: str) -> None:
    """What ``unload`` takes as well."""
    namespace = parser.add_argument("namespace", help='e.g. robot1; "/" is the global one')
    complete_namespace(namespace)
    kind = parser.add_argument(
        "module",
        nargs="?",
        default="",
        metavar="class",
        help=f"e.g. Mapper; without it the whole namespace is {verb}ed",
    )
    complete_class(kind)
    name = parser.add_argument(
        "--name", default="", help="node name, where several modules of one class run in the namespace"
    )
    complete_node_name(name)


def run(arguments: argparse.Namespace, output: Output) -> None:
    fields = {"node_namespace": arguments.namespace, "reload_source": not arguments.no_reload}
    with FleetClient(arguments.coordinator, arguments.timeout) as client:
        if arguments.module or arguments.name:
            module = {"class_name": arguments.module, "node_name": arguments.name}
            ask(client, output, "restart_module", "RestartModule", **fields, **module)
        else:
            ask(client, output, "restart_namespace", "RestartNamespace", **fields)
