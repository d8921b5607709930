"""package.xml names what the package imports: a user installs its dependencies by that file."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).resolve().parent.parent
NOT_A_KEY = {
    "annotationlib": "of Python, from 3.14 on",
    "dimos_interfaces": "nested in this package",
    "dimos_ros": "this package",
    "pydantic_core": "comes with pydantic",
}
KEYS = {"yaml": "python3-yaml"}
PYTHON_KEY = {"argcomplete", "matplotlib", "numpy", "psutil", "pydantic", "pytest", "rich"}
NOT_IMPORTED = {
    "launch_ros": "by the launch file",
    "launch": "by the launch file",
    "ros2launch": "gives `ros2 launch`",
    "rosidl_default_runtime": "of the interfaces",
}


def imported(folder: str) -> dict[str, Path]:
    """Top-level packages that the files of a folder import or name in text such as ``std_msgs.msg:String``."""
    found: dict[str, Path] = {}
    for path in (ROOT / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names: list[str] = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                names = [node.module or ""]
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                names = re.findall(r"^(\w+)\.(?:msg|srv|action):\w+$", node.value)
            found.update({name.partition(".")[0]: path for name in names})
    return {name: path for name, path in found.items() if name not in sys.stdlib_module_names}


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
    used = {key(name): path.relative_to(ROOT) for name, path in imported(folder).items() if name not in NOT_A_KEY}
    missing = {name: path for name, path in used.items() if name not in keys("depend", "exec_depend")}
    assert not missing


def test_everything_that_tests_import_is_a_dependency() -> None:
    beside_the_tests = {path.stem for folder in ("test", "tools") for path in (ROOT / folder).glob("*.py")}
    used = {key(name) for name in imported("test") if name not in {*NOT_A_KEY, *beside_the_tests, "bench"}}
    assert used - keys("depend", "exec_depend", "test_depend") == set()


def test_no_dependency_is_named_twice() -> None:
    named = [(element.tag, element.text) for element in elements("depend", "exec_depend", "test_depend")]
    assert len(named) == len(set(named))


def test_no_dependency_is_left_over() -> None:
    used = {key(name) for folder in ("dimos_ros", "launch", "test", "bench") for name in imported(folder)}
    assert keys("depend", "exec_depend") - used - set(NOT_IMPORTED) == set()
