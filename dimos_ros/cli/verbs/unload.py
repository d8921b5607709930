"""Stop one module, or all modules of a namespace, and remove them from the fleet."""

from __future__ import annotations

import argparse

from dimos_ros.cli.output import Output
from dimos_ros.cli.verbs.restart import add_module_arguments, change_modules


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_module_arguments(parser, "unload")


def run(arguments: argparse.Namespace, output: Output) -> None:
    change_modules(arguments, output, "Unload")
