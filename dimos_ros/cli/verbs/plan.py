"""Show the plan of a blueprint, without running it: one load request for each module."""

from __future__ import annotations

import argparse

from dimos_ros.cli.output import Output
from dimos_ros.cli.source_arguments import add_source_arguments, plan_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_source_arguments(parser)
    parser.add_argument("--yaml", action="store_true", help="print every load request in full, as YAML")


def run(arguments: argparse.Namespace, output: Output) -> None:
    plan = plan_of(arguments)
    if output.as_json:
        output.json(plan.to_dict())
    else:
        output.text(plan.yaml() if arguments.yaml else plan.table())
