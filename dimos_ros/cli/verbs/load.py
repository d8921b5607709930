"""Add the modules of a blueprint to the running fleet."""

from __future__ import annotations

import argparse

from dimos_ros.cli.completion import complete_namespace
from dimos_ros.cli.fleet_client import add_request_id, change_fleet
from dimos_ros.cli.output import Output
from dimos_ros.cli.source_arguments import add_source_arguments, request_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    complete_namespace(add_source_arguments(parser)["namespace"])
    add_request_id(parser)


def run(arguments: argparse.Namespace, output: Output) -> None:
    change_fleet(arguments, output, "LoadBlueprint", **request_of(arguments))
