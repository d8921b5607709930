"""Add the modules of a blueprint to the running fleet."""

from __future__ import annotations

import argparse

from dimos_ros.cli.completion import complete_namespace
from dimos_ros.cli.fleet_client import add_request_id, change_fleet
from dimos_ros.cli.output import Output


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "blueprint",
        metavar="package.module:name",
        help="a Blueprint, a Module class or a function returning a Blueprint",
    )
    namespace = parser.add_argument("--namespace", default="", help="put it under this namespace, e.g. robot3")
    complete_namespace(namespace)
    parser.add_argument(
        "--parameters", default="", metavar="YAML", help="by module name, e.g. '{mapper: {resolution: 0.05}}'"
    )
    add_request_id(parser)


def run(arguments: argparse.Namespace, output: Output) -> None:
    fields = {
        "blueprint": arguments.blueprint,
        "node_namespace": arguments.namespace,
        "parameters": arguments.parameters,
    }
    change_fleet(arguments, output, "LoadBlueprint", **fields)
