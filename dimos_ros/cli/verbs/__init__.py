"""The verbs: each file has ``add_arguments(parser)`` and ``run(arguments, output)``, and says in its
first line what the verb is for."""

from __future__ import annotations

import argparse
from typing import Any, Protocol

from dimos_ros.cli.output import Output
from dimos_ros.cli.verbs import call, describe, graph, list, load, plan, restart, unload, watch


class Verb(Protocol):
    """What a verb's file has."""

    __doc__: str | None

    def add_arguments(self, parser: argparse.ArgumentParser) -> None: ...

    def run(self, arguments: argparse.Namespace, output: Output) -> Any: ...


VERBS: dict[str, Verb] = {
    "list": list,
    "watch": watch,
    "restart": restart,
    "unload": unload,
    "load": load,
    "call": call,
    "graph": graph,
    "describe": describe,
    "plan": plan,
}
