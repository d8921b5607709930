"""Printing for people, for pipes and for programs: a table on a terminal, plain columns, or JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import RenderableType

GOOD_STATES = ("active", "ok")
QUIET_STATES = ("inactive", "unconfigured", "")


class Output:
    """Where a verb's results go; messages about what is wrong go to stderr.

    ``request_id`` is the id of the request to the coordinator, if the verb makes one; JSON has it.
    """

    def __init__(
        self,
        *,
        as_json: bool = False,
        request_id: str = "",
        stream: IO[str] | None = None,
        errors: IO[str] | None = None,
    ) -> None:
        self.as_json = as_json
        self._outcome = {"request_id": request_id} if request_id else {}
        self.stream = stream or sys.stdout
        self.errors = errors or sys.stderr

    @property
    def is_terminal(self) -> bool:
        return self.stream.isatty()

    def text(self, text: str) -> None:
        """Print text as it is."""
        print(text, file=self.stream, flush=True)

    def json(self, value: Any, indent: int | None = 2) -> None:
        """Print a value as JSON; ``indent=None`` puts it on one line."""
        self.text(json.dumps(value, indent=indent, ensure_ascii=False))

    def result(self, message: str, **value: Any) -> None:
        """Print that something was done: the sentence, or with ``--json`` the value with it."""
        if self.as_json:
            self.json({"success": True, "message": message, **self._outcome, **value})
        else:
            self.text(message)

    def failure(self, program: str, message: str) -> None:
        """Say what is wrong, on stderr; with ``--json`` as JSON on stdout besides."""
        if self.as_json:
            self.json({"success": False, "message": message, **self._outcome})
        print(f"{program}: {message}", file=self.errors, flush=True)

    def table(self, table: Table) -> None:
        """Print a table."""
        if self.is_terminal:
            from rich.console import Console

            console = Console(file=self.stream)
            console.print(on_terminal(table, console.width))
        else:
            self.text(plain(table))


@dataclass(frozen=True)
class Table:
    """Rows under column heads, and lines below. Where the terminal is narrow, the ``spare`` columns go."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    spare: Sequence[str] = ()
    below: Sequence[str] = ()

    def without(self, column: str) -> Table:
        gone = self.columns.index(column)
        cut = [[cell for i, cell in enumerate(row) if i != gone] for row in [self.columns, *self.rows]]
        return replace(self, columns=cut[0], rows=cut[1:], spare=[s for s in self.spare if s != column])

    def widths(self) -> list[int]:
        """Characters that each column needs."""
        return [max(len(row[i]) for row in [self.columns, *self.rows]) for i in range(len(self.columns))]


def plain(table: Table) -> str:
    """Columns aligned by spaces, nothing cut off."""
    lines = [[column.upper() for column in table.columns], *table.rows]
    aligned = [
        "  ".join(cell.ljust(width) for cell, width in zip(line, table.widths(), strict=True)).rstrip()
        for line in lines
    ]
    return "\n".join([*aligned, *table.below])


def on_terminal(table: Table, width: int) -> RenderableType:
    """The same for a terminal of ``width`` characters: it wraps, and states have colours."""
    from rich import box
    from rich.console import Group
    from rich.table import Table as RichTable
    from rich.text import Text

    while table.spare and sum(table.widths()) + 3 * len(table.columns) > width:
        table = table.without(table.spare[0])
    drawn = RichTable(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in table.columns:
        drawn.add_column(column, overflow="fold")
    for row in table.rows:
        drawn.add_row(*(Text(cell, _style(column, cell)) for column, cell in zip(table.columns, row, strict=True)))
    return Group(drawn, *(Text(line, "red") for line in table.below))


def one_line(text: str) -> str:
    """Text of several lines on one."""
    return " ".join(text.split())


def duration(seconds: float) -> str:
    """A time span as people say it: ``12 s``, ``3 min 5 s``, ``2 h 3 min``, ``4 d 2 h``."""
    whole = max(0, int(seconds))
    for unit, size, smaller, smaller_size in (("d", 86400, "h", 3600), ("h", 3600, "min", 60), ("min", 60, "s", 1)):
        if whole >= size:
            rest = whole % size // smaller_size
            return f"{whole // size} {unit}" + (f" {rest} {smaller}" if rest else "")
    return f"{whole} s"


def _style(column: str, cell: str) -> str:
    if column not in ("state", "health"):
        return ""
    return "green" if cell in GOOD_STATES else "yellow" if cell in QUIET_STATES else "red"
