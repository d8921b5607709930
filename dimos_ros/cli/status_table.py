"""The table of a running fleet, for ``list`` and ``watch``."""

from __future__ import annotations

from collections.abc import Sequence

from dimos_ros.cli.module_status import ModuleStatus, in_order
from dimos_ros.cli.output import Table, duration, one_line

COLUMNS = ("namespace", "class", "node", "state", "health", "pid", "restarts", "up", "container")


def status_table(modules: Sequence[ModuleStatus], since: float = 0.0) -> Table:
    """Return a table with one row for each module and last errors below; the status is ``since`` seconds old."""
    rows = [
        [
            module.namespace_text,
            module.class_name,
            module.node_name,
            module.state or "-",
            module.health or "-",
            str(module.process_id or "-"),
            str(module.restarts),
            duration(module.uptime + since) if module.process_id else "-",
            module.container or "-",
        ]
        for module in in_order(modules)
    ]
    errors = [f"{m.full_node_name}: {one_line(m.last_error)}" for m in in_order(modules) if m.last_error]
    return Table(COLUMNS, rows, spare=("container", "pid"), below=["", "last errors:", *errors] if errors else [])
