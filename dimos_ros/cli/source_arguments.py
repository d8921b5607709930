"""Arguments that say which blueprint is meant, and with what: those of the coordinator, on a command line."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import yaml

from dimos_ros.cli.errors import UsageError

if TYPE_CHECKING:
    from dimos_ros.blueprint.plan import Plan


def add_source_arguments(parser: argparse.ArgumentParser, blueprint_help: str) -> None:
    """Blueprint, robots, fleet file, parameters."""
    parser.add_argument("blueprint", nargs="?", default="", metavar="package.module:name", help=blueprint_help)
    parser.add_argument("--robots", default="", help="names separated by commas or spaces, or a count")
    parser.add_argument("--config", default="", metavar="FILE", help="fleet file (YAML)")
    parser.add_argument("--params-file", default="", metavar="FILE", help="ROS parameter file (YAML)")
    parser.add_argument("--namespace", default="", help="put it all under this namespace")
    parser.add_argument("--parameters", default="", metavar="YAML", help="by module name")
    parser.add_argument(
        "--argument", action="append", default=[], metavar="NAME=VALUE", help="of a blueprint function; may be repeated"
    )


def plan_of(arguments: argparse.Namespace) -> Plan:
    """The plan of what the arguments name. Raises BlueprintError, ClassNotFoundError and UsageError."""
    from dimos_ros.blueprint.source import BlueprintSource, compile_source, parse_robots

    return compile_source(
        BlueprintSource(
            blueprint=arguments.blueprint,
            robots=parse_robots(arguments.robots),
            config=arguments.config,
            params_file=arguments.params_file,
            arguments=pairs(arguments.argument),
            namespace=arguments.namespace,
            parameters=mapping(arguments.parameters, "--parameters"),
        )
    )


def pairs(words: Sequence[str]) -> dict[str, str]:
    """``name=value`` words as a mapping. Raises UsageError."""
    result = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not name.isidentifier():
            raise UsageError(f"--argument {word!r} is not of the form name=value")
        result[name] = value
    return result


def mapping(text: str, option: str) -> dict[str, Any]:
    """YAML text that is a mapping; "" is an empty one. Raises UsageError."""
    try:
        value = yaml.safe_load(text) if text.strip() else {}
    except yaml.YAMLError as error:
        raise UsageError(f"{option} is not YAML: {error}") from None
    if not isinstance(value, dict):
        raise UsageError(f"{option} takes a mapping such as '{{mapper: {{resolution: 0.05}}}}', not {text!r:.100}")
    return value
