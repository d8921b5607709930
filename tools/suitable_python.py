"""Prints where the Python that runs this is; or, exiting with 1, why it will not do. For any Python at all."""

import os
import sys


def reason():
    if not (3, 10) <= sys.version_info[:2] <= (3, 14) or sys.implementation.name != "cpython":
        return "is Python %d.%d" % sys.version_info[:2]
    try:
        import ensurepip
        import sysconfig
        import venv  # noqa: F401

        ensurepip.version()
    except ImportError as error:
        return "lacks %s (Debian and Ubuntu: apt install python%d.%d-venv)" % ((error.name,) + sys.version_info[:2])
    if not os.path.isfile(os.path.join(sysconfig.get_path("include"), "Python.h")):
        return "lacks its headers (Debian and Ubuntu: apt install python%d.%d-dev)" % sys.version_info[:2]
    if is_ros_sourced(os.environ) and not has_rclpy():
        return "cannot import the rclpy of the ROS 2 that is sourced"
    return None


def is_ros_sourced(environment):
    """Whether the environment that is asked for is the ROS 2 that the shell has sourced."""
    distro = environment.get("ROS_DISTRO")
    folders = environment.get("PATH", "").split(os.pathsep)
    return (
        distro
        and environment.get("DISTRO") in (None, "", distro)
        and any(os.access(os.path.join(folder, "ros2"), os.X_OK) for folder in folders)
    )


def has_rclpy():
    """Whether rclpy is there for this very Python; importing it would take long."""
    import importlib.machinery
    import importlib.util

    package = importlib.util.find_spec("rclpy")
    suffixes = importlib.machinery.EXTENSION_SUFFIXES
    return package is not None and any(
        os.path.isfile(os.path.join(folder, "_rclpy_pybind11" + suffix))
        for folder in package.submodule_search_locations or []
        for suffix in suffixes
    )


if __name__ == "__main__":
    found = reason()
    print(found or sys.executable)
    sys.exit(1 if found else 0)
