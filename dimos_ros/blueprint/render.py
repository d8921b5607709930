"""A plan as text for people: a table and YAML."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from dimos_ros.blueprint.instance import TF_RULES, Instance
from dimos_ros.naming.wording import count


def table(instances: Sequence[Instance]) -> str:
    """Return a table with one line for each instance: stage, identity, class, container, remap rules, parameters."""
    header = ["STAGE", "INSTANCE", "CLASS", "CONTAINER", "REMAP RULES", "PARAMETERS"]
    rows = [
        [
            str(instance.stage),
            str(instance.key),
            instance.class_path,
            instance.container,
            " ".join(rule for rule in instance.request.remap_rules if rule not in TF_RULES),
            " ".join(f"{name}={value!r}" for name, value in instance.request.parameters.items()),
        ]
        for instance in instances
    ]
    widths = [max(len(row[column]) for row in [header, *rows]) for column in range(len(header))]
    lines = ["  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)) for row in [header, *rows]]
    groups = len({instance.container for instance in instances})
    lines.append(f"{count(len(rows), 'module')} in {count(groups, 'container')}; all have {' '.join(TF_RULES)}")
    return "\n".join(line.rstrip() for line in lines)


def yaml(instances: Iterable[Instance]) -> str:
    """Return the load requests by container as YAML, each as the fields of LoadNode."""
    from yaml import safe_dump

    containers: dict[str, list[dict[str, Any]]] = {}
    for instance in instances:
        request = instance.request
        fields: dict[str, Any] = {
            "package_name": request.package_name,
            "plugin_name": request.plugin_name,
            "node_name": request.node_name,
            "node_namespace": request.node_namespace,
            "remap_rules": list(request.remap_rules),
            "parameters": dict(request.parameters),
        }
        if request.log_level:
            fields["log_level"] = request.log_level
        if request.extra_arguments:
            fields["extra_arguments"] = dict(request.extra_arguments)
        containers.setdefault(instance.container, []).append({"stage": instance.stage, **fields})
    return str(safe_dump(containers, sort_keys=False, default_flow_style=False, allow_unicode=True, width=120))
