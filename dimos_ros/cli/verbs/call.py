"""Call a method of a module; without a method, list the methods of the module."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence

from dimos_ros.cli.completion import (
    complete_class,
    complete_method,
    complete_namespace,
    complete_node_name,
    complete_nothing,
)
from dimos_ros.cli.errors import CommandError, UsageError
from dimos_ros.cli.fleet_client import FleetClient
from dimos_ros.cli.output import Output
from dimos_ros.naming.wording import shortened


def add_arguments(parser: argparse.ArgumentParser) -> None:
    complete_namespace(
        parser.add_argument("namespace", help='namespace of the module, e.g. robot1; "/" is the global one')
    )
    complete_class(
        parser.add_argument("module", metavar="class", help="class of the module, or its node name: Mapper or mapper")
    )
    complete_method(
        parser.add_argument(
            "method", nargs="?", default="", help="method to call, e.g. clear; without it, all methods are listed"
        )
    )
    values = parser.add_argument(
        "arguments",
        nargs="*",
        metavar="argument",
        help="arguments of the method: each is a JSON value or other text, such as 0.8 or left; or each is name=value; "
        "or one JSON array or object holds all",
    )
    complete_nothing(values)
    name = parser.add_argument(
        "--name",
        default="",
        help="node name of the module; needed if the namespace has several modules of the class",
    )
    complete_node_name(name)


def run(arguments: argparse.Namespace, output: Output) -> None:
    packed = pack(arguments.arguments)
    with FleetClient(arguments.coordinator, arguments.timeout) as client:
        module = client.find_module(arguments.namespace, arguments.module, arguments.name)
        response = client.call_method(module.full_node_name, arguments.method, packed)
    called = f"{module.full_node_name}: {arguments.method or 'help'}"
    if not response.success:
        trace = f"\n{response.error_traceback.rstrip()}" if response.error_traceback else ""
        raise CommandError(f"{called}: {response.error_type}: {response.error_message}{trace}")
    value = json.loads(response.result) if response.result else None
    if output.as_json:
        output.json({"success": True, "module": module.full_node_name, "result": value})
    elif not arguments.method:
        output.text(methods(value or {}))
    elif value is not None:
        output.text(value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False))


def methods(found: Mapping[str, Mapping[str, str]]) -> str:
    """Return the list of a module's methods as text, with a signature and a summary on each line."""
    width = max((len(method["signature"]) for method in found.values()), default=0)
    lines = [f"{method['signature']:<{width}}  {method['summary']}".rstrip() for method in found.values()]
    return "\n".join(lines) or "the module has no methods to call"


def pack(words: Sequence[str]) -> str:
    """Return the arguments as one JSON text: an array or an object, "" for none.

    Raises UsageError if named and unnamed arguments are mixed.
    """
    if not words:
        return ""
    if len(words) == 1 and isinstance(_value(words[0]), (list, dict)):
        return words[0]
    pairs = [word.partition("=") for word in words]
    named = [bool(equals) and name.isidentifier() for name, equals, _ in pairs]
    if all(named):
        return json.dumps({name: _value(value) for name, _, value in pairs})
    if any(named):
        raise UsageError(
            f"named and unnamed arguments do not mix: {shortened(' '.join(words))}; give all as name=value, or none"
        )
    return json.dumps([_value(word) for word in words])


def _value(word: str) -> object:
    try:
        return json.loads(word)
    except ValueError:
        return word
