"""Completion of words on the command line from the fleet that runs, where argcomplete is installed."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Callable, Iterable

from dimos_ros.cli.module_status import ModuleStatus
from dimos_ros.naming.import_path import import_object
from dimos_ros.naming.names import normalize_namespace

PATIENCE = 3.0
"""Seconds that the Tab key waits for the coordinator at most. Mostly it takes one, to find it."""

Completer = Callable[..., Iterable[str]]


def complete_namespace(action: argparse.Action) -> None:
    """Complete the namespaces of the fleet."""
    _set(action, lambda modules, arguments: {module.namespace_text for module in modules})


def complete_class(action: argparse.Action) -> None:
    """Complete the classes that run in the namespace typed before."""
    _set(action, lambda modules, arguments: {module.class_name for module in _here(modules, arguments)})


def complete_node_name(action: argparse.Action) -> None:
    """Complete the node names in the namespace typed before, of the class typed before."""
    _set(
        action,
        lambda modules, arguments: {
            module.node_name
            for module in _here(modules, arguments)
            if getattr(arguments, "module", "") in ("", None, module.class_name)
        },
    )


def complete_method(action: argparse.Action) -> None:
    """Complete the calls of the class typed before."""

    def methods(modules: list[ModuleStatus], arguments: argparse.Namespace) -> set[str]:
        wanted = getattr(arguments, "module", "")
        paths = {m.class_path for m in _here(modules, arguments) if wanted in (m.class_name, m.node_name)}
        return {call for path in paths for call in import_object(path).interface().calls}

    _set(action, methods)


def complete_nothing(action: argparse.Action) -> None:
    """Complete no file names, which is what argcomplete does otherwise."""
    action.completer = lambda **_: []  # type: ignore[attr-defined]  # argcomplete reads it there


def _set(action: argparse.Action, choose: Callable[[list[ModuleStatus], argparse.Namespace], set[str]]) -> None:
    def completer(prefix: str, parsed_args: argparse.Namespace, **_: object) -> list[str]:
        # A shell does not show an error that is raised here.
        with contextlib.suppress(Exception):
            return sorted(w for w in choose(_modules(parsed_args), parsed_args) if w.startswith(prefix))
        return []

    action.completer = completer  # type: ignore[attr-defined]  # argcomplete reads it there


def _modules(arguments: argparse.Namespace) -> list[ModuleStatus]:
    from dimos_ros.cli.fleet_client import DEFAULT_COORDINATOR, FleetClient

    with FleetClient(getattr(arguments, "coordinator", None) or DEFAULT_COORDINATOR, PATIENCE) as client:
        return client.list_modules()


def _here(modules: list[ModuleStatus], arguments: argparse.Namespace) -> list[ModuleStatus]:
    namespace = normalize_namespace(getattr(arguments, "namespace", None) or "")
    return [module for module in modules if module.node_namespace == namespace]
