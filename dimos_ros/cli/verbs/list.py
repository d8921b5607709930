"""List the modules of the running fleet with their states."""

from __future__ import annotations

import argparse

from dimos_ros.cli.completion import complete_namespace
from dimos_ros.cli.fleet_client import FleetClient
from dimos_ros.cli.module_status import in_order
from dimos_ros.cli.output import Output
from dimos_ros.cli.status_table import status_table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    namespace = parser.add_argument(
        "namespace",
        nargs="?",
        default="",
        help="list only the modules of this namespace and below it (default: all)",
    )
    complete_namespace(namespace)


def run(arguments: argparse.Namespace, output: Output) -> None:
    with FleetClient(arguments.coordinator, arguments.timeout) as client:
        modules = client.list_modules(arguments.namespace)
    if output.as_json:
        output.json([module.to_dict() for module in in_order(modules)])
    elif modules:
        output.table(status_table(modules))
    else:
        output.text("the fleet has no modules")
