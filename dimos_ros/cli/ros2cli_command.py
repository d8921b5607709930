"""``ros2 dimos``: the verbs of ``fleet`` as an extension of ros2cli. Only ros2cli imports this file."""

from __future__ import annotations

import argparse
from typing import Any

from ros2cli.command import CommandExtension

from dimos_ros.cli.main import add_verbs, run


class DimosCommand(CommandExtension):
    """List, restart, unload, load and call the modules of a fleet."""

    def add_arguments(self, parser: argparse.ArgumentParser, cli_name: str, **_: Any) -> None:
        self._parser = parser
        add_verbs(parser)

    def main(self, *, parser: argparse.ArgumentParser, args: argparse.Namespace) -> int:
        return run(self._parser, args, "ros2 dimos")
