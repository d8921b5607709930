"""Show the table of `fleet list` and renew it at every change of the fleet."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

from dimos_ros.cli.fleet_client import FleetClient
from dimos_ros.cli.module_status import ModuleStatus, in_order
from dimos_ros.cli.output import Output, on_terminal
from dimos_ros.cli.status_table import status_table

PERIOD = 0.5
"""Seconds between two renewals of the uptime column, and between two checks that the coordinator still runs."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = "It ends with the coordinator or with Ctrl-C. With --json, it prints one line for each change."


def run(arguments: argparse.Namespace, output: Output) -> None:
    with FleetClient(arguments.coordinator, arguments.timeout) as client:
        try:
            if output.is_terminal and not output.as_json:
                _on_terminal(client, output)
            else:
                client.watch(_printer(output), lambda: None, PERIOD)
        except KeyboardInterrupt:
            return  # Ctrl-C is the normal end of this verb
        print(f"{client.coordinator} has ended", file=output.errors)


def _printer(output: Output) -> Callable[[list[ModuleStatus]], None]:
    def changed(modules: list[ModuleStatus]) -> None:
        if output.as_json:
            output.json([module.to_dict() for module in in_order(modules)], indent=None)
        else:
            output.table(status_table(modules))

    return changed


def _on_terminal(client: FleetClient, output: Output) -> None:
    from rich.console import Console
    from rich.live import Live

    modules: list[ModuleStatus] = []
    since = time.monotonic()
    with Live(console=Console(file=output.stream), auto_refresh=False) as live:

        def changed(found: list[ModuleStatus]) -> None:
            nonlocal since
            modules[:] = found
            since = time.monotonic()

        def show() -> None:
            table = status_table(modules, time.monotonic() - since)
            live.update(on_terminal(table, live.console.width), refresh=True)

        client.watch(changed, show, PERIOD)
