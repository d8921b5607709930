"""The public names of dimos_ros: found by programs and type checkers alike, and documented."""

from __future__ import annotations

import ast
import inspect
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

import dimos_ros

ROOT = Path(__file__).resolve().parent.parent
NEEDS_ROS = {"ModuleCoordinator"}


class Reference(HTMLParser):
    """The text of an API reference page, by the name that it is about."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.texts: dict[str, str] = {}
        self.name = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "section":
            self.name = dict(attrs).get("id") or ""

    def handle_data(self, data: str) -> None:
        self.texts[self.name] = self.texts.get(self.name, "") + data


def words(text: str) -> str:
    """A text without its markup and line breaks."""
    text = re.sub(r":(?:class|meth|func|attr|mod|data|exc):`~?([^`]*)`", r"\1", text)
    return " ".join(text.replace("`", "").replace("()", "").split())


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    pytest.importorskip("rclpy", reason="needs rclpy")
    pytest.importorskip("pdoc", reason="needs pdoc")
    folder = tmp_path_factory.mktemp("reference")
    command = [sys.executable, str(ROOT / "tools" / "api_reference.py"), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return Reference(Path(done.stdout.strip()).read_text()).texts


@pytest.mark.parametrize("name", sorted(set(dimos_ros.__all__) - NEEDS_ROS))
def test_a_public_name_is_importable_and_documented(name: str) -> None:
    found = getattr(dimos_ros, name)
    assert found.__name__ == name
    assert inspect.getdoc(found)


def test_the_api_reference_has_every_public_name_with_its_docstring_and_no_other(reference: dict[str, str]) -> None:
    assert {name for name in reference if name and "." not in name} == set(dimos_ros.__all__)
    for name in dimos_ros.__all__:
        first_paragraph = (inspect.getdoc(getattr(dimos_ros, name)) or "").partition("\n\n")[0]
        assert words(first_paragraph) in words(reference[name]), name
    assert "is private, although its name has no underscore" in words(reference[""])


def test_type_checkers_see_the_names_that_programs_find() -> None:
    tree = ast.parse(Path(dimos_ros.__file__).read_text())
    (branch,) = [node for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"]
    seen = {}
    for node in branch.body:
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                assert alias.asname == alias.name, "a name is public to type checkers only if it is imported as itself"
                seen[alias.name] = node.module
    assert seen == dimos_ros._HOMES


def test_every_error_is_public() -> None:
    errors = {
        name
        for name, found in vars(dimos_ros.exceptions).items()
        if isinstance(found, type) and issubclass(found, BaseException)
    }
    assert set(dimos_ros.__all__) == errors | set(dimos_ros._HOMES)


def test_a_star_import_and_dir_have_the_public_names() -> None:
    assert {*dimos_ros.__all__, "__version__"} <= set(dir(dimos_ros))
    assert len(dimos_ros.__all__) == len(set(dimos_ros.__all__))


def test_a_name_that_does_not_exist_is_refused() -> None:
    with pytest.raises(AttributeError, match="module 'dimos_ros' has no attribute 'nothing'"):
        _ = dimos_ros.nothing
