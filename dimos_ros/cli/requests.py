"""Requests to the coordinator that are done or refused, with a sentence either way."""

from __future__ import annotations

from typing import Any

from dimos_ros.cli.errors import CommandError
from dimos_ros.cli.fleet_client import FleetClient
from dimos_ros.cli.output import Output


def ask(client: FleetClient, output: Output, service: str, service_type: str, **fields: Any) -> None:
    """Make a request and print what was done. Raises CommandError with the coordinator's reason if it refuses."""
    success, message = client.request(service, service_type, **fields)
    if not success:
        raise CommandError(message)
    output.result(message)
