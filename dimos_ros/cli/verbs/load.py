"""Add the modules of a blueprint to the running fleet."""

from __future__ import annotations

import argparse

from dimos_ros.cli.completion import complete_namespace
from dimos_ros.cli.fleet_client import FleetClient
from dimos_ros.cli.output import Output
from dimos_ros.cli.requests import ask
from dimos_ros.cli.source_arguments import add_source_arguments, request_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    complete_namespace(add_source_arguments(parser)["namespace"])


def run(arguments: argparse.Namespace, output: Output) -> None:
    fields = request_of(arguments)
    with FleetClient(arguments.coordinator, arguments.timeout) as client:
        ask(client, output, "load_blueprint", "LoadBlueprint", **fields)
