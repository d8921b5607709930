"""Show the streams, parameters, references and calls of a module."""

from __future__ import annotations

import argparse
from dataclasses import asdict, is_dataclass
from typing import Any

from dimos_ros.cli.completion import complete_class, complete_namespace
from dimos_ros.cli.errors import CommandError
from dimos_ros.cli.fleet_client import FleetClient
from dimos_ros.cli.module_status import ModuleStatus
from dimos_ros.cli.output import Output
from dimos_ros.declaration.declared import Declared
from dimos_ros.declaration.interface import REQUIRED, Interface
from dimos_ros.naming.import_path import import_object


def add_arguments(parser: argparse.ArgumentParser) -> None:
    where = parser.add_argument(
        "namespace",
        metavar="package.module:Class | namespace",
        help="import path of a module class; or namespace of a running module, which the next argument names",
    )
    complete_namespace(where)
    complete_class(
        parser.add_argument(
            "module", nargs="?", default="", metavar="class", help="class of a running module, or its node name"
        )
    )


def run(arguments: argparse.Namespace, output: Output) -> None:
    status = None
    path = arguments.namespace
    if arguments.module or ":" not in path:
        with FleetClient(arguments.coordinator, arguments.timeout) as client:
            status = client.find_module(arguments.namespace, arguments.module)
        path = status.class_path
    cls = module_class(path)
    if output.as_json:
        instance = {"instance": status.to_dict()} if status else {}
        output.json({"class": path, **instance, **interface_dict(cls.interface())})
        return
    if status:
        output.text(_status_text(status))
    output.text(cls.describe())


def module_class(path: str) -> Any:
    """Return the Module subclass of an import path. Raises ClassNotFoundError, and CommandError for another object."""
    found = import_object(path)
    if not (isinstance(found, type) and issubclass(found, Declared)):
        kind = type(found).__name__
        raise CommandError(
            f"{path} is not a module class but a {kind}; `fleet plan {path}` shows the modules of a blueprint"
        )
    return found


def interface_dict(interface: Interface) -> dict[str, Any]:
    """Return an interface for JSON, by kind and name. A required parameter has no default."""
    result: dict[str, Any] = {}
    for kind in ("streams", "parameters", "calls"):
        result[kind] = [_plain(asdict(declared)) for declared in getattr(interface, kind).values()]
    result["references"] = [
        {"name": reference.name, "target": reference.target.__name__, "optional": reference.optional}
        for reference in interface.references.values()
    ]
    return result


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return _plain(asdict(value))
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items() if item is not REQUIRED}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value if isinstance(value, (bool, int, float, str, type(None))) else str(value)


def _status_text(status: ModuleStatus) -> str:
    lines = [f"{status.full_node_name}: {status.state}, {status.health}"]
    if status.process_id:
        lines.append(f"  in {status.container}, process {status.process_id}, restarts {status.restarts}")
    if status.last_error:
        lines.append(f"  last error: {status.last_error}")
    return "\n".join(lines)
