"""Take one module, or a whole namespace, down and out of the fleet."""

from __future__ import annotations

import argparse

from dimos_ros.cli.fleet_client import FleetClient
from dimos_ros.cli.output import Output
from dimos_ros.cli.requests import ask
from dimos_ros.cli.verbs.restart import add_module_arguments


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_module_arguments(parser, "unload")


def run(arguments: argparse.Namespace, output: Output) -> None:
    with FleetClient(arguments.coordinator, arguments.timeout) as client:
        if arguments.module or arguments.name:
            module = {"class_name": arguments.module, "node_name": arguments.name}
            ask(client, output, "unload_module", "UnloadModule", node_namespace=arguments.namespace, **module)
        else:
            ask(client, output, "unload_namespace", "UnloadNamespace", node_namespace=arguments.namespace)
