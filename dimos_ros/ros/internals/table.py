"""All internals, and the table that shows which of them work with the installed rclpy."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from collections.abc import Sequence

from rclpy.context import Context
from rclpy.utilities import get_rmw_implementation_identifier
from rich.console import Console
from rich.table import Table

from dimos_ros.ros.internals import (
    construction,
    contexts,
    dropped_responses,
    entities,
    events_executor,
    forks,
    global_executor,
    handles,
    interrupting,
    lifecycle,
    logging,
    multi_executor,
    parameter_overrides,
    remains,
    type_description,
)
from dimos_ros.ros.internals.internal import Finding, Internal, examine

INTERNALS: tuple[Internal, ...] = (
    handles.INTERNAL,
    dropped_responses.INTERNAL,
    construction.INTERNAL,
    parameter_overrides.INTERNAL,
    entities.INTERNAL,
    lifecycle.INTERNAL,
    *contexts.INTERNALS,
    global_executor.INTERNAL,
    *events_executor.INTERNALS,
    multi_executor.INTERNAL,
    remains.INTERNAL,
    type_description.INTERNAL,
    interrupting.INTERNAL,
    forks.INTERNAL,
    logging.INTERNAL,
)
"""All internals, in the order in which they take effect in a node's life."""

WIDTH = 160
"""Columns of the table if the output is not a terminal."""

STYLES = {"used": "green", "fallback": "yellow", "BROKEN": "bold red"}


def findings() -> list[Finding]:
    """Probe all internals, in a new context."""
    context = Context()
    context.init(args=[])
    try:
        return [examine(internal, context) for internal in INTERNALS]
    finally:
        context.try_shutdown()


def version() -> str:
    """Return the versions probed here, such as ``rclpy 7.1.5 (jazzy), rmw_fastrtps_cpp, CPython 3.12.3``."""
    try:
        rclpy = importlib.metadata.version("rclpy")
    except importlib.metadata.PackageNotFoundError:
        rclpy = "of an unknown version"
    distribution = os.environ.get("ROS_DISTRO", "no ROS_DISTRO")
    python = f"{platform.python_implementation()} {platform.python_version()}"
    return f"rclpy {rclpy} ({distribution}), {get_rmw_implementation_identifier()}, {python}"


def show(found: Sequence[Finding]) -> None:
    """Print the findings as a table."""
    table = Table(title=f"Private parts of rclpy in use: {version()}", show_lines=True, title_justify="left")
    for name in ("internal", "here", "observed by the probe", "purpose", "upstream", "versions", "without it"):
        table.add_column(name, overflow="fold")
    for each in found:
        internal = each.internal
        table.add_row(
            internal.name,
            f"[{STYLES[each.state]}]{each.state}[/]",
            *(text.replace("[", r"\[") for text in (each.text, internal.purpose)),
            internal.upstream or "-",
            internal.versions,
            internal.fallback or "this package does not work",
        )
    console = Console()
    if not console.is_terminal:
        console = Console(width=WIDTH)
    console.print(table)


def main() -> int:
    """Print the table. Return 0 if each internal works or has a fallback, otherwise 1."""
    found = findings()
    show(found)
    broken = [each.internal.name for each in found if not each.sound]
    if broken:
        print(f"broken with this rclpy: {', '.join(broken)}")
    return int(bool(broken))
