"""The version and the changelog, as the ROS release tools read and write them."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import dimos_ros

ROOT = Path(__file__).resolve().parent.parent


def versions(root: Path) -> dict[str, str]:
    """The version that each file of a source tree has, and what the package says of itself."""
    found = {}
    for name, pattern in (
        ("package.xml", r"<version>(.*)</version>"),
        ("interfaces/package.xml", r"<version>(.*)</version>"),
        ("setup.py", r'version="(.*?)"'),
    ):
        (found[name],) = re.findall(pattern, (root / name).read_text())
    found["dimos_ros"] = printed("import dimos_ros; print(dimos_ros.__version__)", root)
    return found


def printed(code: str, root: Path) -> str:
    """What Python prints for which ``root`` is all there is of this package."""
    code = f"import sys; sys.path.insert(0, {str(root)!r}); {code}"
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_version_is_the_same_everywhere() -> None:
    assert set(versions(ROOT).values()) == {dimos_ros.__version__}


def test_the_ros_release_tool_changes_the_version(tmp_path: Path) -> None:
    packages = pytest.importorskip("catkin_pkg.packages", reason="needs catkin_pkg")
    from catkin_pkg.package_version import update_versions

    for name in (
        "package.xml",
        "interfaces/package.xml",
        "setup.py",
        "dimos_ros/__init__.py",
        "dimos_ros/exceptions.py",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    update_versions({str(tmp_path / path): it for path, it in packages.find_packages(str(tmp_path)).items()}, "7.8.9")
    found = versions(tmp_path)
    # The tool does not look for packages in packages: CONTRIBUTING.md says that the last one is edited by hand.
    assert found.pop("interfaces/package.xml") == dimos_ros.__version__
    assert set(found.values()) == {"7.8.9"}


def test_an_installation_without_its_source_knows_its_version(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "dimos_ros", tmp_path / "dimos_ros", ignore=shutil.ignore_patterns("__pycache__", "data"))
    (tmp_path / "dimos_ros-7.8.9.dist-info").mkdir()
    (tmp_path / "dimos_ros-7.8.9.dist-info" / "METADATA").write_text("Name: dimos_ros\nVersion: 7.8.9\n")
    assert printed("import dimos_ros; print(dimos_ros.__version__)", tmp_path) == "7.8.9"


@pytest.mark.filterwarnings("ignore:nodes.Node.traverse:DeprecationWarning")
def test_the_changelog_can_be_read_and_ends_with_the_version_that_is_out() -> None:
    changelogs = pytest.importorskip("catkin_pkg.changelog", reason="needs catkin_pkg")
    text = (ROOT / "CHANGELOG.rst").read_text()
    assert text.splitlines()[1] == "Changelog for package dimos_ros"
    changelog = changelogs.populate_changelog_from_rst(changelogs.Changelog(), text)
    parts = {version: list(content) for version, _, content in changelog.foreach_version(reverse=True)}
    assert next(iter(parts)) == dimos_ros.__version__
    assert [version for version, content in parts.items() if not content] == [], "a section without a line"


def test_the_changelogs_markup_is_right() -> None:
    core = pytest.importorskip("docutils.core", reason="needs docutils")
    core.publish_doctree((ROOT / "CHANGELOG.rst").read_text(), settings_overrides={"report_level": 1, "halt_level": 2})
