"""No file outside ``ros/internals`` uses a private part of rclpy. These tests read the source."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

rclpy = pytest.importorskip("rclpy", reason="needs rclpy")

import dimos_ros

ROOT = Path(dimos_ros.__file__).resolve().parent
ROOM = ROOT / "ros" / "internals"


def private_names() -> set[str]:
    """Return the names in rclpy's source that begin with one underscore, and the names of its private globals."""
    names = {"g_default_context", "get_global_executor"}
    for path in Path(rclpy.__file__).parent.rglob("*.py"):
        for each in ast.walk(ast.parse(path.read_text())):
            if isinstance(each, ast.Attribute):
                names.add(each.attr)
            elif isinstance(each, (ast.FunctionDef, ast.AsyncFunctionDef)):
                names.add(each.name)
    public = {"g_default_context", "get_global_executor"}
    return {name for name in names if name in public or (name.startswith("_") and not name.startswith("__"))}


def root_of(expression: ast.expr) -> str:
    """Return the first name of an expression, such as ``rclpy`` of ``rclpy.utilities.x``; "" if it has none."""
    while isinstance(expression, ast.Attribute):
        expression = expression.value
    return expression.id if isinstance(expression, ast.Name) else ""


def uses(source: str, private: set[str]) -> Iterator[tuple[int, str]]:
    """Yield each use of a private part of rclpy in a source text: its line and a description."""
    tree = ast.parse(source)
    imported: set[str] = set()
    for each in ast.walk(tree):
        if isinstance(each, ast.Import):
            for alias in each.names:
                if alias.name.split(".")[0] == "rclpy":
                    imported.add((alias.asname or alias.name).split(".")[0])
                if re.match(r"rclpy\.(impl|_)", alias.name):
                    yield each.lineno, f"imports {alias.name}"
        elif isinstance(each, ast.ImportFrom) and (each.module or "").split(".")[0] == "rclpy":
            imported.update(alias.asname or alias.name for alias in each.names)
            for alias in each.names:
                if re.match(r"rclpy\.(impl|_)", f"{each.module}.{alias.name}"):
                    yield each.lineno, f"imports {each.module}.{alias.name}"
    for each in ast.walk(tree):
        yield from _use(each, private, imported)


def _use(each: ast.AST, private: set[str], imported: set[str]) -> Iterator[tuple[int, str]]:
    if isinstance(each, ast.Attribute):
        is_own = isinstance(each.value, ast.Name) and each.value.id in ("self", "cls")
        if each.attr in private and not is_own:
            yield each.lineno, f"uses {ast.unparse(each)}"
        if each.attr in ("filterwarnings", "simplefilter", "pythonapi"):
            yield each.lineno, f"uses {ast.unparse(each)}"
        if isinstance(each.ctx, (ast.Store, ast.Del)) and root_of(each) in imported:
            yield each.lineno, f"sets {ast.unparse(each)}"
        if each.attr == "pop" and isinstance(each.value, ast.Attribute) and each.value.attr == "__dict__":
            yield each.lineno, f"uses {ast.unparse(each)}"
    elif isinstance(each, ast.Call) and isinstance(each.func, ast.Name):
        texts = [a.value for a in each.args if isinstance(a, ast.Constant) and isinstance(a.value, str)]
        if each.func.id in ("getattr", "setattr", "delattr", "hasattr") and private & set(texts):
            yield each.lineno, f"uses {ast.unparse(each)}"
        if each.func.id in ("setattr", "delattr") and each.args and root_of(each.args[0]) in imported:
            yield each.lineno, f"sets {ast.unparse(each)}"
    elif isinstance(each, ast.Subscript) and isinstance(each.ctx, (ast.Store, ast.Del)):
        if isinstance(each.value, ast.Attribute) and each.value.attr == "__dict__" and root_of(each.value) != "self":
            yield each.lineno, f"sets {ast.unparse(each)}"
    elif isinstance(each, ast.Constant) and re.match(r"rclpy\.(impl|_)|librcl\.so", str(each.value)):
        yield each.lineno, f"names {each.value}"


def test_no_file_outside_the_internals_uses_a_private_part_of_rclpy() -> None:
    private = private_names()
    assert {"_state_machine", "_parameter_overrides", "_type_description_service", "_callbacks", "_executor"} <= private
    folders = [ROOT, *(ROOT.parent / name for name in ("bench", "launch"))]
    files = [path for folder in folders for path in sorted(folder.rglob("*.py")) if ROOM not in path.parents]
    assert len(files) > 100
    found = [
        f"{path.relative_to(ROOT.parent)}:{line} {what}"
        for path in files
        for line, what in uses(path.read_text(), private)
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    "line",
    [
        "from rclpy.impl.implementation_singleton import rclpy_implementation",
        "from rclpy import _rclpy_pybind11",
        "import rclpy.impl.rcutils_logger",
        "x = node._state_machine.current_state",
        "x = self.node._parameter_overrides",
        "x = getattr(node, '_on_set_parameters_callbacks')",
        "import rclpy; rclpy.get_global_executor = other",
        "import rclpy.utilities; x = rclpy.utilities.g_default_context",
        "from rclpy.node import Node; Node.__init__ = other",
        "from rclpy.node import Node; setattr(Node, 'create_timer', other)",
        "multi._executor = pool",
        "entity.__dict__.pop('callback')",
        "del node.__dict__['callback']",
        "warnings.filterwarnings('error')",
        "ctypes.pythonapi.PyThreadState_SetAsyncExc(1, 2)",
        "ctypes.CDLL('librcl.so')",
        "importlib.import_module('rclpy.impl.rcutils_logger')",
    ],
)
def test_the_search_for_private_parts_finds(line: str) -> None:
    assert list(uses(line, private_names()))
