"""Installs dimos_ros and, into the same prefix, the interface package that is nested in it."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.develop import develop
from setuptools.command.install import install
from setuptools.errors import ExecError

NAME = "dimos_ros"
# colcon runs a symbolic link to this file from its build directory.
ROOT = Path(__file__).resolve().parent


def build_interfaces(command, prefix, destdir=None):
    """Build and install `interfaces/`, as the last line of the error saying what to do where that fails."""
    if getattr(command, "dry_run", False):
        return
    spec = importlib.util.spec_from_file_location("dimos_interfaces_build", ROOT / "interfaces" / "build.py")
    builder = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(builder)
    tree = Path(command.get_finalized_command("build").build_base).resolve() / "dimos_interfaces"
    try:
        builder.build(Path(prefix).resolve(), tree, destdir=destdir)
    except builder.BuildError as error:
        raise ExecError(str(error)) from None


class InstallWithInterfaces(install):
    """`install`, and the interfaces with it."""

    def run(self):
        if "bdist_wheel" in self.distribution.command_obj:
            # pip builds a wheel in an environment of its own, where there is no ROS.
            print(
                "This wheel is without dimos_interfaces: for the services, build with colcon in a ROS 2 workspace.",
                file=sys.stderr,
            )
        else:
            build_interfaces(self, self.install_base, Path(self.root) if self.root else None)
        super().run()


class DevelopWithInterfaces(develop):
    """`develop`, and the interfaces with it; colcon's --symlink-install arrives here."""

    def run(self):
        # Newer setuptools have neither attribute: there, `develop` only hands over to pip.
        if not getattr(self, "uninstall", False):
            build_interfaces(self, getattr(self, "prefix", None) or sys.prefix)
        super().run()


def files(pattern):
    """Files of the source tree, as setup.py wants them: relative to it."""
    return sorted(str(path.relative_to(ROOT)) for path in ROOT.glob(pattern))


setup(
    name=NAME,
    version="0.1.0",  # as in package.xml; catkin_prepare_release changes both, if this is a literal
    description="Run many robots from one blueprint: namespaced copies of a set of ROS 2 modules.",
    license="Apache-2.0",
    maintainer="dimos_ros maintainers",
    maintainer_email="maintainers@example.com",
    packages=find_packages(str(ROOT), include=[NAME, f"{NAME}.*"]),
    package_data={NAME: ["py.typed", "demo/data/*", "transport/*.xml"]},
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{NAME}"]),
        (f"share/{NAME}", ["package.xml"]),
        (f"share/{NAME}/launch", files("launch/*.launch.*")),
        (f"share/{NAME}/config", files("config/*.yaml")),
    ],
    python_requires=">=3.10",
    install_requires=["setuptools"],
    extras_require={"test": ["pytest"]},  # has `colcon test` run it
    zip_safe=False,
    cmdclass={"install": InstallWithInterfaces, "develop": DevelopWithInterfaces},
    entry_points={
        "console_scripts": [
            "container = dimos_ros.container.main:main",
            "coordinator = dimos_ros.coordinator.main:main",
            "fleet = dimos_ros.cli.main:main",
        ],
        "ros2cli.command": ["dimos = dimos_ros.cli.ros2cli_command:DimosCommand"],
    },
)
