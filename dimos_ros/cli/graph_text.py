"""The graph of a fleet as text: Graphviz dot, or Mermaid, which Markdown viewers draw.

Boxes are instances, grouped by namespace. Rounded boxes are topics. Dashed arrows are references.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from dimos_ros.cli.fleet_graph import FleetGraph
from dimos_ros.cli.module_status import ModuleStatus
from dimos_ros.naming.names import enclosing

Member = ModuleStatus | str
"""Member of a namespace in the drawing: an instance, or the full name of a topic."""


def dot(graph: FleetGraph) -> str:
    """Return the graph as text for ``dot -Tsvg``."""
    lines = ["digraph fleet {", "  rankdir=LR;", '  node [fontname="sans-serif", fontsize=11];']

    def frame(number: int, namespace: str) -> list[str]:
        return [f"  subgraph {_quoted('cluster_' + namespace)} {{", f"    label={_quoted(namespace)};"]

    def box(member: Member, namespace: str) -> str:
        if isinstance(member, ModuleStatus):
            label = _quoted(f"{member.node_name}\n{member.class_name}{_state_text(member)}")
            return f"{_quoted(member.full_node_name)} [shape=box, label={label}];"
        look = f"shape=ellipse, label={_quoted(_within(member, namespace))}, tooltip={_quoted(member)}"
        return f"{_quoted('topic ' + member)} [{look}];"

    lines += _framed(graph, frame, box, "  }")
    for link in graph.links:
        topic, instance = _quoted("topic " + link.topic), _quoted(link.instance)
        lines.append(f"  {instance} -> {topic};" if link.direction == "out" else f"  {topic} -> {instance};")
    for reference in graph.references:
        label = _quoted(reference.name)
        lines.append(f"  {_quoted(reference.instance)} -> {_quoted(reference.target)} [style=dashed, label={label}];")
    return "\n".join([*lines, "}"])


def mermaid(graph: FleetGraph) -> str:
    """Return the graph as text for a ```` ```mermaid ```` block."""
    ids: dict[tuple[str, str], str] = {}

    def identity(name: str, kind: str) -> str:
        # An instance and a topic may have the same name.
        return ids.setdefault((name, kind), f"{kind[0]}{len(ids)}")

    def frame(number: int, namespace: str) -> list[str]:
        return [f'  subgraph n{number}["{_escaped(namespace)}"]']

    def box(member: Member, namespace: str) -> str:
        if isinstance(member, ModuleStatus):
            text = _escaped(f"{member.node_name}<br/>{member.class_name}{_state_text(member, '<br/>')}")
            return f'{identity(member.full_node_name, "instance")}["{text}"]'
        return f'{identity(member, "topic")}(["{_escaped(_within(member, namespace))}"])'

    lines = ["flowchart LR", *_framed(graph, frame, box, "  end")]
    for link in graph.links:
        topic, instance = identity(link.topic, "topic"), identity(link.instance, "instance")
        lines.append(f"  {instance} --> {topic}" if link.direction == "out" else f"  {topic} --> {instance}")
    for reference in graph.references:
        start, end = identity(reference.instance, "instance"), identity(reference.target, "instance")
        lines.append(f'  {start} -. "{_escaped(reference.name)}" .-> {end}')
    return "\n".join(lines)


def _framed(
    graph: FleetGraph, frame: Callable[[int, str], list[str]], box: Callable[[Member, str], str], end: str
) -> Iterator[str]:
    """Yield the lines of all boxes. The boxes of a namespace are in a frame."""
    for number, (namespace, members) in enumerate(_groups(graph)):
        boxes = [box(member, namespace) for member in members]
        if namespace:
            yield from [*frame(number, namespace), *(f"    {line}" for line in boxes), end]
        else:
            yield from (f"  {line}" for line in boxes)


def _groups(graph: FleetGraph) -> Iterable[tuple[str, list[Member]]]:
    """Return each namespace with its instances and topics, the global namespace last.

    A topic is drawn in the innermost namespace of its name that has modules.
    """
    namespaces = sorted({module.node_namespace for module in graph.modules} - {""})
    placed: dict[str, list[Member]] = {namespace: [] for namespace in [*namespaces, ""]}
    for module in graph.modules:
        placed[module.node_namespace].append(module)
    for topic in graph.topics:
        around = enclosing(topic.rpartition("/")[0].removeprefix("/"))
        placed[next(namespace for namespace in around if namespace in placed)].append(topic)
    return placed.items()


def _within(topic: str, namespace: str) -> str:
    """Return the name of a topic relative to the namespace that it is drawn in."""
    return topic.removeprefix("/").removeprefix(f"{namespace}/")


def _state_text(module: ModuleStatus, newline: str = "\n") -> str:
    """Return the lifecycle state on a new line; "" if the module is active or does not run."""
    return f"{newline}({module.state})" if module.state not in ("", "active") else ""


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def _escaped(text: str) -> str:
    return text.replace('"', "&quot;")
