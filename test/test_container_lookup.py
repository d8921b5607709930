"""The lookup of the class that a load request names."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

pytest.importorskip("rclpy", reason="needs rclpy")

from container_client import register

from dimos_ros.container.class_lookup import (
    ClassLookup,
    Registration,
    find_registration,
    installed_registrations,
)
from dimos_ros.exceptions import ClassNotFoundError

NO_PACKAGE = "Could not find requested resource in ament index"
NO_CLASS = "Failed to find class with the requested plugin name."

CAMERA = Registration("cameras", "cameras::Driver", "cameras.driver:Driver")
LIDAR = Registration("lidars", "lidars::Driver", "lidars.driver:Driver")
BARE = Registration("wheels", "Driver", "wheels:Driver")


@pytest.mark.parametrize("name", ["Driver", "cameras::Driver"])
def test_one_class_name_in_several_packages_is_not_mixed_up(name: str) -> None:
    assert find_registration([LIDAR, CAMERA, BARE], "cameras", name) is CAMERA


def test_a_class_registered_without_its_package_is_found_with_and_without_it() -> None:
    assert find_registration([CAMERA, BARE], "wheels", "Driver") is BARE
    assert find_registration([CAMERA, BARE], "wheels", "wheels::Driver") is BARE


def test_the_full_name_of_another_package_does_not_reach_it() -> None:
    with pytest.raises(ClassNotFoundError, match=r"wheels has no 'lidars::Driver'; it registers Driver"):
        find_registration([LIDAR, BARE], "wheels", "lidars::Driver")


def test_a_package_that_ships_a_class_comes_before_one_that_uses_its_name() -> None:
    impostor = Registration("fakes", "cameras::Driver", "fakes:Driver")
    assert find_registration([impostor, CAMERA], "cameras", "cameras::Driver") is CAMERA
    assert find_registration([impostor, CAMERA], "fakes", "cameras::Driver") is impostor


def test_an_error_for_an_unknown_package_lists_the_packages() -> None:
    with pytest.raises(ClassNotFoundError) as caught:
        find_registration([CAMERA, LIDAR], "camera", "Driver")
    assert str(caught.value).startswith(NO_PACKAGE)
    assert "'camera'" in str(caught.value) and "cameras, lidars" in str(caught.value)


def test_an_error_for_an_unknown_class_lists_the_nearest_names() -> None:
    with pytest.raises(ClassNotFoundError) as caught:
        find_registration([CAMERA], "cameras", "Drvier")
    assert str(caught.value).startswith(NO_CLASS)
    assert "cameras::Driver" in str(caught.value)


def test_distributions_are_named_as_ros_names_packages() -> None:
    assert find_registration([Registration("my_robot", "Driver", "x:Driver")], "my-robot", "Driver").path == "x:Driver"


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder on the import path, for installed packages."""
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def write_node(folder: Path, module: str, name: str = "Driver") -> None:
    """Write a module with a node class."""
    (folder / f"{module}.py").write_text(
        f"from rclpy.node import Node\nclass {name}(Node):\n    def __init__(self):\n        super().__init__('n')\n"
    )


@pytest.mark.parametrize("group", ["dimos_ros__modules", "rclpy_components"])
def test_both_groups_of_entry_points_are_read(installed: Path, group: str) -> None:
    write_node(installed, "lookup_a")
    register(installed, "lookup-a", **{group: {"lookup_a::Driver": "lookup_a:Driver"}})
    found = ClassLookup().find("lookup_a", "Driver")
    assert found is sys.modules["lookup_a"].Driver


def test_the_group_of_this_package_comes_before_the_other_group(installed: Path) -> None:
    register(
        installed,
        "lookup_b",
        dimos_ros__modules={"lookup_b::Driver": "first:Driver"},
        rclpy_components={"lookup_b::Driver": "second:Driver"},
    )
    assert [r.path for r in installed_registrations() if r.distribution == "lookup_b"] == ["first:Driver"]


def test_a_package_installed_after_the_first_request_is_found(installed: Path) -> None:
    lookup = ClassLookup()
    with pytest.raises(ClassNotFoundError):
        lookup.find("lookup_c", "Driver")
    write_node(installed, "lookup_c")
    register(installed, "lookup_c", rclpy_components={"lookup_c::Driver": "lookup_c:Driver"})
    assert lookup.find("lookup_c", "Driver").__name__ == "Driver"


def test_a_class_that_is_not_registered_is_found_by_its_import_path(installed: Path) -> None:
    write_node(installed, "lookup_d")
    assert ClassLookup().find("lookup_d", "lookup_d:Driver").__module__ == "lookup_d"
    assert ClassLookup().find("", "lookup_d:Driver").__module__ == "lookup_d"


def test_an_import_path_of_another_package_is_refused(installed: Path) -> None:
    write_node(installed, "lookup_e")
    with pytest.raises(ClassNotFoundError, match="to package 'lookup_e', but the request names package 'other'"):
        ClassLookup().find("other", "lookup_e:Driver")


def test_a_package_may_ship_python_packages_of_other_names(installed: Path) -> None:
    write_node(installed, "lookup_f_nodes")
    register(installed, "lookup_f", rclpy_components={})
    (installed / "lookup_f-1.0.dist-info" / "top_level.txt").write_text("lookup_f_nodes\n")
    assert ClassLookup().find("lookup_f", "lookup_f_nodes:Driver").__name__ == "Driver"


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("no_such_module_x:Driver", "no_such_module_x"),
        ("lookup_g:Drvier", "Driver"),
        ("lookup_g_broken:Driver", "ZeroDivisionError"),
        ("lookup_g_exit:Driver", "SystemExit"),
        ("lookup_g_needs:Driver", "not_installed_either"),
        ("__main__:Driver", "move it into"),
        ("container_nodes:NotANode", "not derived from rclpy.node.Node"),
        ("container_nodes:os", "not derived from rclpy.node.Node"),
    ],
)
def test_an_error_for_a_failed_import_names_the_cause(installed: Path, path: str, words: str) -> None:
    write_node(installed, "lookup_g")
    (installed / "lookup_g_broken.py").write_text("1 / 0\n")
    (installed / "lookup_g_exit.py").write_text("raise SystemExit(3)\n")
    (installed / "lookup_g_needs.py").write_text("import not_installed_either\n")
    with pytest.raises(ClassNotFoundError) as caught:
        ClassLookup().find(path.partition(":")[0], path)
    assert str(caught.value).startswith(NO_CLASS)
    assert words in str(caught.value)


def test_an_error_for_an_entry_point_names_its_missing_module(installed: Path) -> None:
    register(installed, "lookup_h", rclpy_components={"lookup_h::Driver": "lookup_h_gone:Driver"})
    with pytest.raises(ClassNotFoundError, match="lookup_h_gone"):
        ClassLookup().find("lookup_h", "lookup_h::Driver")


def test_only_allowed_packages_are_imported(installed: Path) -> None:
    for module in ("lookup_i", "lookup_j"):
        (installed / f"{module}.py").write_text("raise RuntimeError('imported')\n")
    lookup = ClassLookup(["lookup_i"])
    with pytest.raises(ClassNotFoundError, match="imported"):
        lookup.find("lookup_i", "lookup_i:Driver")
    with pytest.raises(ClassNotFoundError, match=r"loads nothing from 'lookup_j'.*allowed_packages has lookup_i"):
        lookup.find("lookup_j", "lookup_j:Driver")
    assert "lookup_j" not in sys.modules


def test_an_allowed_package_cannot_be_claimed_for_another(installed: Path) -> None:
    (installed / "lookup_k.py").write_text("raise RuntimeError('imported')\n")
    with pytest.raises(ClassNotFoundError, match="belongs to package 'lookup_k'"):
        ClassLookup(["lookup_i"]).find("lookup_i", "lookup_k:Driver")
