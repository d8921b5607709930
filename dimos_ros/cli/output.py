"""The output of verbs: a table on a terminal, plain columns in a pipe, or JSON for programs."""

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
    """Output of a verb: results go to stdout, errors to stderr.

    ``request_id`` is the id of the verb's request to the coordinator, if it makes one. JSON output contains it.
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
        """Print text unchanged."""
        print(text, file=self.stream, flush=True)

    def json(self, value: Any, indent: int | None = 2) -> None:
        """Print a value as JSON; ``indent=None`` puts it on one line."""
        self.text(json.dumps(value, indent=indent, ensure_ascii=False))

    def result(self, message: str, **value: Any) -> None:
        """Print the sentence that says what was done; with ``--json``, an object with the sentence and ``value``."""
        if self.as_json:
            self.json({"success": True, "message": message, **self._outcome, **value})
        else:
            self.text(message)

    def failure(self, program: str, message: str) -> None:
        """Print an error to stderr; with ``--json``, also as JSON to stdout."""
        if self.as_json:
            self.json({"success": False, "message": message, **self._outcome})
        print(f"{program}: {message}", file=self.errors, flush=True)

    def table(self, table: Table) -> None:
        """Print a table: drawn on a terminal, plain elsewhere."""
        if self.is_terminal:
            from rich.console import Console

            console = Console(file=self.stream)
            console.print(on_terminal(table, console.width))
        else:
            self.text(plain(table))


@dataclass(frozen=True)
class Table:
    """Table of rows under column heads, with lines below. A narrow terminal does not show the ``spare`` columns."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    spare: Sequence[str] = ()
    below: Sequence[str] = ()

    def without(self, column: str) -> Table:
        gone = self.columns.index(column)
        cut = [[cell for i, cell in enumerate(row) if i != gone] for row in [self.columns, *self.rows]]
        return replace(self, columns=cut[0], rows=cut[1:], spare=[s for s in self.spare if s != column])

    def widths(self) -> list[int]:
        """Return the characters that each column needs."""
        return [max(len(row[i]) for row in [self.columns, *self.rows]) for i in range(len(self.columns))]


def plain(table: Table) -> str:
    """Return a table as text: columns aligned by spaces, and no cell cut."""
    lines = [[column.upper() for column in table.columns], *table.rows]
    aligned = [
        "  ".join(cell.ljust(width) for cell, width in zip(line, table.widths(), strict=True)).rstrip()
        for line in lines
    ]
    return "\n".join([*aligned, *table.below])


def on_terminal(table: Table, width: int) -> RenderableType:
    """Return a table for a terminal of ``width`` characters: long cells wrap, and states have colours."""
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
    """Return text of several lines as one line."""
    return " ".join(text.split())


def duration(seconds: float) -> str:
    """Return a time span in its two largest units: ``12 s``, ``3 min 5 s``, ``2 h 3 min``, ``4 d 2 h``."""
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
