"""Draw a fleet as dot, Mermaid or JSON: its modules, the topics between them, and their references."""

from __future__ import annotations

import argparse

from dimos_ros.cli import graph_text
from dimos_ros.cli.fleet_client import FleetClient
from dimos_ros.cli.fleet_graph import FleetGraph
from dimos_ros.cli.output import Output
from dimos_ros.cli.source_arguments import add_source_arguments, plan_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--format",
        choices=("dot", "mermaid"),
        default="dot",
        help="dot draws with Graphviz, mermaid in Markdown",
    )
    add_source_arguments(parser, "The blueprint is drawn, not run. Without a blueprint, the running fleet is drawn.")


def run(arguments: argparse.Namespace, output: Output) -> None:
    if arguments.blueprint or arguments.config:
        graph = FleetGraph.of_plan(plan_of(arguments))
    else:
        from dimos_ros.cli.live_graph import live_graph

        with FleetClient(arguments.coordinator, arguments.timeout) as client:
            graph = live_graph(client, client.list_modules())
    if output.as_json:
        output.json(graph.to_dict())
    else:
        output.text(graph_text.mermaid(graph) if arguments.format == "mermaid" else graph_text.dot(graph))
