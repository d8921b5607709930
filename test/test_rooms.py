"""Which room may import which: the imports in the source fit the table of docs/ARCHITECTURE.md."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import dimos_ros

ROOT = Path(dimos_ros.__file__).resolve().parent
PACKAGE = "dimos_ros"

ROOMS: dict[str, set[str]] = {
    "exceptions": set(),
    "naming": {"exceptions"},
    "processes": {"exceptions"},
    "loading": {"exceptions"},
    "ros": {"exceptions", "processes"},
    "transport": {"exceptions"},
    "declaration": {"exceptions", "naming"},
    "blueprint": {"exceptions", "naming", "loading", "declaration"},
    "calls": {"exceptions", "naming", "processes", "ros", "declaration"},
    "module": {"exceptions", "naming", "ros", "declaration", "blueprint", "calls"},
    "container": {"exceptions", "naming", "processes", "loading", "ros", "transport"},
    "coordinator": {
        *("exceptions", "naming", "processes", "loading", "ros", "transport"),
        *("declaration", "blueprint", "calls", "container"),
    },
    "cli": {"exceptions", "naming", "processes", "ros", "declaration", "blueprint", "coordinator"},
    "demo": {"coordinator"},
}
"""Each room and the rooms that it may import."""


def files() -> list[Path]:
    return sorted(path for path in ROOT.rglob("*.py") if path != ROOT / "__init__.py")


def room_of(dotted: str) -> str:
    """Return the room of a Python module, such as ``naming`` of ``dimos_ros.naming.names``.

    The package itself is in the room "", because it exports names of any room.
    """
    return dotted.split(".")[1] if "." in dotted else ""


def dotted(path: Path) -> str:
    return ".".join([PACKAGE, *path.relative_to(ROOT).with_suffix("").parts]).removesuffix(".__init__")


def imports(path: Path) -> Iterator[tuple[ast.AST, str]]:
    """Yield each import from this package in a file: its syntax node and the Python module that it names."""
    known = {dotted(file) for file in files()}
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from ((node, alias.name) for alias in node.names if alias.name.split(".")[0] == PACKAGE)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == PACKAGE:
            for alias in node.names:
                submodule = f"{node.module}.{alias.name}"
                yield node, submodule if submodule in known else str(node.module)


@pytest.mark.parametrize("room", sorted(ROOMS))
def test_a_room_imports_only_what_the_table_allows(room: str) -> None:
    allowed = ROOMS[room] | {room, ""}
    wrong = [
        f"{path.relative_to(ROOT)}:{node.lineno} imports {name}"
        for path in files()
        if room_of(dotted(path)) == room
        for node, name in imports(path)
        if room_of(name) not in allowed
    ]
    assert not wrong, "\n".join(wrong)


def test_each_file_is_in_a_room_and_no_room_of_the_table_is_empty() -> None:
    assert {room_of(dotted(path)) for path in files()} == set(ROOMS)


def test_no_rooms_import_each_other_in_a_circle() -> None:
    placed: list[str] = []
    while len(placed) < len(ROOMS):
        free = [room for room, needs in ROOMS.items() if room not in placed and needs <= set(placed)]
        assert free, f"a circle among {sorted(set(ROOMS) - set(placed))}"
        placed += free


def test_no_files_import_each_other_in_a_circle() -> None:
    needs = {dotted(path): {name for _, name in imports(path)} for path in files()}
    left = dict(needs)
    while free := [name for name, others in left.items() if not others & set(left) - {name}]:
        for name in free:
            del left[name]
    assert not left, f"circles among {sorted(left)}"


def test_the_page_on_the_architecture_has_the_same_table() -> None:
    text = (ROOT.parent / "docs" / "ARCHITECTURE.md").read_text()
    rows = {}
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if len(cells) == 3 and cells[0].strip("`") in ROOMS:
            rows[cells[0].strip("`")] = {word.strip(" `") for word in cells[2].split(",")} - {"nothing"}
    assert rows == ROOMS
