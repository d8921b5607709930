"""The machine and the software that were measured."""

from __future__ import annotations

import datetime
import importlib.metadata
import os
import platform
from pathlib import Path
from typing import Any


def describe() -> dict[str, Any]:
    """Describe the machine in words and numbers. None of them names the machine or its user."""
    return {
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "system": f"{platform.system()} {platform.release().partition('-')[0]}",
        "python": platform.python_version(),
        "ros": os.environ.get("ROS_DISTRO", "unknown"),
        "rclpy": _version("rclpy"),
        "middleware": _middleware(),
        "load_before": round(os.getloadavg()[0], 2),
    }


def text(machine: dict[str, Any]) -> str:
    """Return the description as one line."""
    return (
        f"{machine['processor']}, {machine['cores']} cores, {machine['memory_gb']} GB, {machine['system']}; "
        f"Python {machine['python']}, ROS 2 {machine['ros']} (rclpy {machine['rclpy']}, {machine['middleware']}); "
        f"{machine['date']}"
    )


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.machine()
    name = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    return f"{name} ({platform.machine()})" if name else platform.machine()


def _middleware() -> str:
    from rclpy.utilities import get_rmw_implementation_identifier

    name = get_rmw_implementation_identifier()
    versions = [v for p in ("ros-fastdds", "ros-fastrtps") if (v := _version(p)) != "unknown"]
    return f"{name}, Fast DDS {versions[0]}" if versions and "fastrtps" in name else str(name)


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "unknown"
