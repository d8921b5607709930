"""The lookup of the node class that a load request names, by entry point or by import path.

A package registers its node classes in its ``setup.py``, in the entry point group
``dimos_ros.modules`` or ``rclpy_components``: ``my_pkg::Talker = my_pkg.talker:Talker``. A class that
is not registered is named by its import path, ``my_pkg.talker:Talker``.
"""

from __future__ import annotations

import importlib.metadata
import re
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from dimos_ros.exceptions import ClassNotFoundError
from dimos_ros.naming.import_path import import_object
from dimos_ros.naming.wording import nearest, shown

GROUPS = ("dimos_ros.modules", "rclpy_components")
"""Entry point groups. If both register the same name, the first group is used."""

NO_PACKAGE = "Could not find requested resource in ament index"
NO_CLASS = "Failed to find class with the requested plugin name."

LONGEST_NAME = 200
"""Characters of a class or package name that an error shows."""


@dataclass(frozen=True)
class Registration:
    """A registered class: its package, its name, and its import path."""

    distribution: str
    name: str
    path: str

    @property
    def packages(self) -> tuple[str, str]:
        """The package names by which the class can be requested: its distribution, and the prefix of its name."""
        return self.distribution, self.name.rpartition("::")[0] or self.distribution

    def answers_to(self, plugin_name: str) -> bool:
        """Return whether a plugin name means this class. The name may leave out the package."""
        return plugin_name in (self.name, self.name.rpartition("::")[2], f"{self.distribution}::{self.name}")


def find_registration(found: Iterable[Registration], package_name: str, plugin_name: str) -> Registration:
    """Return the registered class that a request names.

    Raises ClassNotFoundError, which lists the registered classes or packages.
    """
    package = _as_package(package_name)
    everything = list(found)
    own = [each for each in everything if package in each.packages]
    # A class that the package ships comes before a class of another package whose name starts with this one.
    own.sort(key=lambda each: each.distribution != package)
    for each in own:
        if each.answers_to(plugin_name):
            return each
    if own:
        raise ClassNotFoundError(
            f"{NO_CLASS} {package_name} has no {shown(plugin_name, LONGEST_NAME)}; it registers "
            f"{nearest(plugin_name, (each.name for each in own))}. {_BY_PATH}"
        )
    packages = nearest(package, (each.packages[0] for each in everything)) or "none"
    raise ClassNotFoundError(
        f"{NO_PACKAGE}: no package {shown(package_name, LONGEST_NAME)} registers node classes in Python (entry points "
        f"{' or '.join(GROUPS)}); packages that do: {packages}. {_BY_PATH}{_hint_of_index(package_name)}"
    )


def installed_registrations() -> list[Registration]:
    """Return the classes that the installed packages register, each once."""
    found: dict[tuple[str, str], Registration] = {}
    for group in GROUPS:
        for entry in importlib.metadata.entry_points(group=group):
            distribution = _as_package(entry.dist.name) if entry.dist is not None else ""
            path = entry.value.partition("[")[0].strip()
            found.setdefault((distribution, entry.name), Registration(distribution, entry.name, path))
    return list(found.values())


class ClassLookup:
    """The lookup of node classes. Thread-safe. An import does not delay the lookup of other classes."""

    def __init__(
        self,
        allowed_packages: Sequence[str] = (),
        registrations: Callable[[], list[Registration]] = installed_registrations,
    ) -> None:
        self.allowed_packages = tuple(allowed_packages)
        self._registrations = registrations
        self._known: list[Registration] = []
        self._lock = threading.Lock()

    def find(self, package_name: str, plugin_name: str) -> type:
        """Import and return the class that a request names.

        Raises ClassNotFoundError if it is not registered, cannot be imported, is not allowed or is not a node class.
        """
        path = plugin_name if ":" in plugin_name.replace("::", "") else self._registered(package_name, plugin_name)
        top = path.partition(":")[0].partition(".")[0]
        if top == "__main__":
            raise ClassNotFoundError(
                f"{NO_CLASS} {shown(path, LONGEST_NAME)} is a class of the program that was started; "
                "another process can only import a class from a module: move it into one"
            )
        if path is plugin_name and _as_package(package_name) not in ("", top) and not _ships(package_name, top):
            raise ClassNotFoundError(
                f"{NO_CLASS} {shown(plugin_name, LONGEST_NAME)} belongs to package {shown(top)}, "
                f"but the request names package {shown(package_name)}"
            )
        if self.allowed_packages and not {top, _as_package(package_name)} & set(self.allowed_packages):
            raise ClassNotFoundError(
                f"{NO_CLASS} This container loads nothing from {shown(top)}: its parameter allowed_packages has "
                f"{', '.join(self.allowed_packages)}"
            )
        return _node_class(path)

    def _registered(self, package_name: str, plugin_name: str) -> str:
        """Return the import path of a registered class. If it is unknown, read the registrations again, since a
        package may have been installed meanwhile."""
        with self._lock:
            try:
                return find_registration(self._known, package_name, plugin_name).path
            except ClassNotFoundError:
                self._known = self._registrations()
                return find_registration(self._known, package_name, plugin_name).path


_BY_PATH = "Any other class is named by its import path, like my_pkg.my_module:MyNode"


def _as_package(name: str) -> str:
    """Return a distribution's name in the form of a ROS package name."""
    return re.sub(r"[-.]+", "_", name).lower()


def _node_class(path: str) -> type:
    from rclpy.node import Node

    try:
        found: Any = import_object(path)
    except ClassNotFoundError as error:
        raise ClassNotFoundError(f"{NO_CLASS} {error}") from error
    if not (isinstance(found, type) and issubclass(found, Node)):
        what = f"class {found.__name__}" if isinstance(found, type) else f"of type {type(found).__name__}"
        raise ClassNotFoundError(
            f"{NO_CLASS} {shown(path, LONGEST_NAME)} is {what}, which is not derived from rclpy.node.Node"
        )
    return found


def _ships(package_name: str, top: str) -> bool:
    """Return whether an installed package contains the Python package or module ``top``."""
    try:
        distribution = importlib.metadata.distribution(package_name)
    except (importlib.metadata.PackageNotFoundError, ValueError):
        return False
    if top in (distribution.read_text("top_level.txt") or "").split():
        return True
    return any(file.parts[0] in (top, f"{top}.py") for file in distribution.files or () if file.parts)


def _hint_of_index(package_name: str) -> str:
    """Return what the ament index knows about a package that registers no Python classes; "" for nothing."""
    try:
        from ament_index_python import get_resources, has_resource
    except ImportError:
        return ""
    try:
        if has_resource("rclcpp_components", package_name):
            return f". {package_name} has C++ components, which need a C++ container"
        if package_name in get_resources("packages"):
            return f". {package_name} is installed, but has no entry points in these groups"
    except (LookupError, OSError, ValueError):
        return ""
    return ""
