"""package.xml names what the package imports: a user installs its dependencies by that file."""

from __future__ import annotations

import ast
import functools
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).resolve().parent.parent
NOT_A_KEY = {
    "annotationlib": "of Python, from 3.14 on",
    "bench": "of this repository",
    "dimos_interfaces": "nested in this package",
    "dimos_ros": "this package",
    "pydantic_core": "comes with pydantic",
}
KEYS = {"catkin_pkg": "python3-catkin-pkg-modules", "yaml": "python3-yaml"}
PYTHON_KEY = {"argcomplete", "matplotlib", "numpy", "psutil", "pydantic", "pytest", "rich"}
NOT_IMPORTED = {
    "launch_ros": "by the launch file",
    "launch": "by the launch file",
    "ros2launch": "gives `ros2 launch`",
    "rosidl_default_runtime": "of the interfaces",
}
OPTIONAL = {"matplotlib": "the demo draws its pictures with it, and says so where it is missing"}
"""Packages that a robot does without: functions of the demo import them, and tests need them."""
OF_PYTEST = {"python3-pytest", "python3-pytest-xdist"}


@functools.cache
def imported(*folders: str) -> dict[str, Path]:
    """Top-level packages that the files of folders import or name in text such as ``std_msgs.msg:String``."""
    paths = [path for folder in folders for path in (ROOT / folder).rglob("*.py")]
    found = {name: path for path in paths for node in ast.walk(ast.parse(path.read_text())) for name in named(node)}
    return {name: path for name, path in found.items() if name not in sys.stdlib_module_names}


def named(node: ast.AST) -> Iterator[str]:
    """Top-level packages that one node of a file's syntax names."""
    names: list[str] = []
    if isinstance(node, ast.Import):
        names = [alias.name for alias in node.names]
    elif isinstance(node, ast.ImportFrom) and node.level == 0:
        names = [node.module or ""]
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        names = re.findall(r"^(\w+)\.(?:msg|srv|action):\w+$", node.value)
    yield from (name.partition(".")[0] for name in names)


def run_on_import(node: ast.AST) -> Iterator[ast.AST]:
    """The nodes below this one that run when the file is imported: no function's body, nothing for type checkers."""
    for child in ast.iter_child_nodes(node):
        is_for_types = isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING"
        if not is_for_types and not isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            yield child
            yield from run_on_import(child)


def keys(*tags: str) -> set[str]:
    """What package.xml names under some tags."""
    return {element.text or "" for element in elements(*tags)}


def elements(*tags: str) -> list[ElementTree.Element]:
    manifest = ElementTree.parse(ROOT / "package.xml").getroot()
    return [element for tag in tags for element in manifest.iter(tag)]


def key(name: str) -> str:
    return KEYS.get(name) or (f"python3-{name}" if name in PYTHON_KEY else name)


@pytest.mark.parametrize("folder", ["dimos_ros", "launch"])
def test_everything_that_is_imported_is_a_dependency(folder: str) -> None:
    skipped = {*NOT_A_KEY, *OPTIONAL}
    used = {key(name): path.relative_to(ROOT) for name, path in imported(folder).items() if name not in skipped}
    missing = {name: path for name, path in used.items() if name not in keys("depend", "exec_depend")}
    assert not missing


def test_what_is_optional_is_imported_by_functions_of_the_demo_alone() -> None:
    for name in OPTIONAL:
        users = [
            path
            for path in (ROOT / "dimos_ros").rglob("*.py")
            if name in {found for node in ast.walk(ast.parse(path.read_text())) for found in named(node)}
        ]
        assert users, f"nothing imports {name} any more"
        assert {path.relative_to(ROOT / "dimos_ros").parts[0] for path in users} == {"demo"}
        at_once = [p for p in users if name in {f for n in run_on_import(ast.parse(p.read_text())) for f in named(n)}]
        assert not at_once
        assert key(name) in keys("test_depend")


def test_everything_that_tests_import_is_a_dependency() -> None:
    beside_the_tests = {path.stem for folder in ("test", "tools") for path in (ROOT / folder).glob("*.py")}
    used = {key(name) for name in imported("test", "bench") if name not in {*NOT_A_KEY, *beside_the_tests}}
    # Upstream's dimos, which one benchmark compares with, is in no ROS distribution.
    assert used - keys("depend", "exec_depend", "test_depend") == {"dimos"}


def test_no_dependency_is_named_twice() -> None:
    named = [element.text for element in elements("depend", "exec_depend", "test_depend")]
    assert len(named) == len(set(named))


def test_no_dependency_is_left_over() -> None:
    run = {key(name) for name in imported("dimos_ros", "launch")} - {key(name) for name in OPTIONAL}
    assert keys("depend", "exec_depend") - run - set(NOT_IMPORTED) == set(), "installed on a robot for nothing"
    tested = {key(name) for name in imported("test", "bench")}
    assert keys("test_depend") - tested - OF_PYTEST == set(), "installed for tests that do not need it"
