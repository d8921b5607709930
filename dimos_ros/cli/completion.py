"""Completion of command lines from the running fleet. It works where argcomplete is installed."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Callable

from dimos_ros.cli.fleet_client import DEFAULT_COORDINATOR, FleetClient
from dimos_ros.cli.module_status import ModuleStatus
from dimos_ros.naming.import_path import import_object
from dimos_ros.naming.names import normalize_namespace

PATIENCE = 3.0
"""Most seconds that the Tab key waits for the coordinator. Discovery mostly takes one."""

Choose = Callable[[FleetClient, argparse.Namespace], set[str]]
"""Function that returns all words for an argument, from the fleet and from the arguments before it."""


def complete_namespace(action: argparse.Action) -> None:
    """Complete an argument from the namespaces of the fleet."""
    _set(action, lambda client, typed: {module.namespace_text for module in client.list_modules()})


def complete_class(action: argparse.Action) -> None:
    """Complete an argument from the classes that run in the namespace before it."""
    _set(action, lambda client, typed: {module.class_name for module in _in_namespace(client, typed)})


def complete_node_name(action: argparse.Action) -> None:
    """Complete an argument from the node names of the class and the namespace before it."""
    _set(action, lambda client, typed: {module.node_name for module in _of_class(client, typed)})


def complete_method(action: argparse.Action) -> None:
    """Complete an argument from the calls of the class before it."""

    def methods(client: FleetClient, typed: argparse.Namespace) -> set[str]:
        paths = {module.class_path for module in _of_class(client, typed)}
        return {call for path in paths for call in import_object(path).interface().calls}

    _set(action, methods)


def complete_nothing(action: argparse.Action) -> None:
    """Complete an argument with nothing. By default argcomplete would offer file names."""
    action.completer = lambda **_: []  # type: ignore[attr-defined]  # argcomplete reads it there


def _set(action: argparse.Action, choose: Choose) -> None:
    def completer(prefix: str, parsed_args: argparse.Namespace, **_: object) -> list[str]:
        coordinator = getattr(parsed_args, "coordinator", None) or DEFAULT_COORDINATOR
        # A shell does not show an error that is raised here.
        with contextlib.suppress(Exception), FleetClient(coordinator, PATIENCE) as client:
            return sorted(word for word in choose(client, parsed_args) if word.startswith(prefix))
        return []

    action.completer = completer  # type: ignore[attr-defined]  # argcomplete reads it there


def _in_namespace(client: FleetClient, typed: argparse.Namespace) -> list[ModuleStatus]:
    namespace = normalize_namespace(typed.namespace)
    return [module for module in client.list_modules(typed.namespace) if module.node_namespace == namespace]


def _of_class(client: FleetClient, typed: argparse.Namespace) -> list[ModuleStatus]:
    return client.list_modules(typed.namespace, typed.module) if typed.module else _in_namespace(client, typed)
