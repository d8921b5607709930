"""The options that choose a blueprint and its parameters: the table of sources as command line arguments."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dimos_ros.blueprint.source import FIELDS, BlueprintSource, Kind, SourceField
from dimos_ros.cli.errors import UsageError
from dimos_ros.exceptions import BlueprintError

if TYPE_CHECKING:
    from dimos_ros.blueprint.plan import Plan

METAVARS = {Kind.PATH: "FILE", Kind.MAPPING: "YAML"}


def add_source_arguments(parser: argparse.ArgumentParser, without: str = "") -> dict[str, argparse.Action]:
    """Add the fields of a source to a parser, the blueprint as the first word; return the actions by field.

    ``without`` is a sentence for the help. It says what the verb does without a blueprint.
    """
    return {row.name: _add(parser, row, without) for row in FIELDS}


def _add(parser: argparse.ArgumentParser, row: SourceField, without: str) -> argparse.Action:
    help = row.help.replace("%", "%%")
    if row.name == "blueprint":
        metavar = "package.module:name"
        return parser.add_argument(row.name, nargs="?", default="", metavar=metavar, help=f"{help} {without}".strip())
    option = f"--{row.name.replace('_', '-')}"
    if row.kind is Kind.FLAG:
        return parser.add_argument(option, action="store_true", help=help)
    return parser.add_argument(option, default="", metavar=METAVARS.get(row.kind), help=help)


def texts_of(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the text of each field from the command line."""
    return {row.name: getattr(arguments, row.name) for row in FIELDS}


def source_of(arguments: argparse.Namespace) -> BlueprintSource:
    """Return the source of a command line. Raises UsageError for wrong text of a field, or without a blueprint."""
    # Imported here, because the YAML reader would take half of the time of `fleet --help`.
    from dimos_ros.blueprint.source_text import read_source

    try:
        source = read_source(texts_of(arguments))
    except BlueprintError as error:
        raise UsageError(str(error)) from None
    if not source.is_given:
        raise UsageError(f"nothing to {arguments.verb}: give a blueprint (package.module:name) or --config FILE")
    return source


def plan_of(arguments: argparse.Namespace) -> Plan:
    """Return the plan for a command line. Raises BlueprintError, ClassNotFoundError and UsageError."""
    from dimos_ros.blueprint.compile_source import compile_source

    return compile_source(source_of(arguments))


def request_of(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the fields of a request of LoadBlueprint.srv for a command line. Raises UsageError.

    Relative paths become absolute, because the coordinator has another working directory.
    """
    source_of(arguments)
    texts = texts_of(arguments)
    for row in FIELDS:
        if row.kind is Kind.PATH and texts[row.name]:
            texts[row.name] = str(Path(texts[row.name]).absolute())
    return {row.request_name: texts[row.name] for row in FIELDS}
