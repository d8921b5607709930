"""A fleet's graph as text that draws it: Graphviz dot, and Mermaid as Markdown viewers show it.

Boxes are instances, grouped by namespace; rounded ones are topics; dashed arrows are references.
"""

from __future__ import annotations

from collections.abc import Iterable

from dimos_ros.cli.fleet_graph import FleetGraph, Vertex
from dimos_ros.naming.names import enclosing

Cell = tuple[str, str]
"""Full name, and whether it is an ``instance`` or a ``topic``: both may have one name."""


def dot(graph: FleetGraph) -> str:
    """For ``dot -Tsvg``."""
    lines = ["digraph fleet {", "  rankdir=LR;", '  node [fontname="sans-serif", fontsize=11];']

    def put(vertex: Vertex | str, namespace: str, indent: str) -> None:
        if isinstance(vertex, Vertex):
            label = _quoted(f"{vertex.name}\n{vertex.class_name}{_state_text(vertex)}")
            lines.append(f"{indent}{_quoted(vertex.full_name)} [shape=box, label={label}];")
        else:
            look = f"shape=ellipse, label={_quoted(_within(vertex, namespace))}, tooltip={_quoted(vertex)}"
            lines.append(f"{indent}{_quoted('topic ' + vertex)} [{look}];")

    for namespace, members in _groups(graph):
        if namespace:
            lines += [f"  subgraph {_quoted('cluster_' + namespace)} {{", f"    label={_quoted(namespace)};"]
            for member in members:
                put(member, namespace, "    ")
            lines.append("  }")
        else:
            for member in members:
                put(member, namespace, "  ")
    for link in graph.links:
        topic, instance = _quoted("topic " + link.topic), _quoted(link.instance)
        lines.append(f"  {instance} -> {topic};" if link.direction == "out" else f"  {topic} -> {instance};")
    for reference in graph.references:
        label = _quoted(reference.name)
        lines.append(f"  {_quoted(reference.instance)} -> {_quoted(reference.target)} [style=dashed, label={label}];")
    return "\n".join([*lines, "}"])


def mermaid(graph: FleetGraph) -> str:
    """For a ```` ```mermaid ```` block."""
    ids: dict[Cell, str] = {}

    def identity(name: str, kind: str) -> str:
        return ids.setdefault((name, kind), f"{kind[0]}{len(ids)}")

    lines = ["flowchart LR"]

    def put(vertex: Vertex | str, namespace: str, indent: str) -> None:
        if isinstance(vertex, Vertex):
            text = _escaped(f"{vertex.name}<br/>{vertex.class_name}{_state_text(vertex, '<br/>')}")
            lines.append(f'{indent}{identity(vertex.full_name, "instance")}["{text}"]')
        else:
            lines.append(f'{indent}{identity(vertex, "topic")}(["{_escaped(_within(vertex, namespace))}"])')

    for number, (namespace, members) in enumerate(_groups(graph)):
        if namespace:
            lines.append(f'  subgraph n{number}["{_escaped(namespace)}"]')
            for member in members:
                put(member, namespace, "    ")
            lines.append("  end")
        else:
            for member in members:
                put(member, namespace, "  ")
    for link in graph.links:
        topic, instance = identity(link.topic, "topic"), identity(link.instance, "instance")
        lines.append(f"  {instance} --> {topic}" if link.direction == "out" else f"  {topic} --> {instance}")
    for reference in graph.references:
        start, end = identity(reference.instance, "instance"), identity(reference.target, "instance")
        lines.append(f'  {start} -. "{_escaped(reference.name)}" .-> {end}')
    return "\n".join(lines)


def _groups(graph: FleetGraph) -> Iterable[tuple[str, list[Vertex | str]]]:
    """Each namespace with its instances and topics, the global one last.

    A topic is drawn in the innermost namespace of its name that has modules.
    """
    namespaces = sorted({vertex.namespace for vertex in graph.vertices} - {""})
    placed: dict[str, list[Vertex | str]] = {namespace: [] for namespace in [*namespaces, ""]}
    for vertex in graph.vertices:
        placed[vertex.namespace].append(vertex)
    for topic in graph.topics:
        around = enclosing(topic.rpartition("/")[0].strip("/"))
        placed[next(namespace for namespace in around if namespace in placed)].append(topic)
    return placed.items()


def _within(topic: str, namespace: str) -> str:
    """A topic's name as seen from the namespace that it is drawn in."""
    return topic.strip("/").removeprefix(f"{namespace}/")


def _state_text(vertex: Vertex, newline: str = "\n") -> str:
    """The lifecycle state, where it is worth a line."""
    return f"{newline}({vertex.state})" if vertex.state not in ("", "active") else ""


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def _escaped(text: str) -> str:
    return text.replace('"', "&quot;")
