"""Many robots from one blueprint, on ROS 2.

The names below are the public Python interface: import them from here. Also public are the executables
``container``, ``coordinator`` and ``fleet`` (or ``ros2 dimos``), the launch file, the services, messages and ROS
parameters, and the entry point groups ``dimos_ros.modules`` and ``rclpy_components``. Every other module, class and
function of the package is private, although its name has no underscore: it can change with any release.

Importing this package is quick, because it loads each public name when it is first used. Composing and checking
blueprints works where rclpy is missing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dimos_ros import exceptions
from dimos_ros.exceptions import *  # noqa: F403  (each error is public, and the file imports nothing)

if TYPE_CHECKING:
    from dimos_ros.blueprint.blueprint import Blueprint as Blueprint
    from dimos_ros.blueprint.blueprint import autoconnect as autoconnect
    from dimos_ros.blueprint.plan import Plan as Plan
    from dimos_ros.blueprint.plan import plan as plan
    from dimos_ros.coordinator.coordinator import ModuleCoordinator as ModuleCoordinator
    from dimos_ros.module import In as In
    from dimos_ros.module import Module as Module
    from dimos_ros.module import Out as Out
    from dimos_ros.module import QoS as QoS
    from dimos_ros.module import param as param
    from dimos_ros.module import rpc as rpc
    from dimos_ros.module.images import image_array as image_array
    from dimos_ros.module.images import image_message as image_message
    from dimos_ros.naming.instance_key import InstanceKey as InstanceKey

    __version__: str
else:
    # Type checkers do not see this branch: its __getattr__ would hide a misspelt name from them.
    import importlib

    _HOMES = {
        "Blueprint autoconnect": "blueprint.blueprint",
        "InstanceKey": "naming.instance_key",
        "In Module Out QoS param rpc": "module",
        "ModuleCoordinator": "coordinator.coordinator",
        "Plan plan": "blueprint.plan",
        "image_array image_message": "module.images",
    }
    _HOMES = {name: f"{__name__}.{home}" for names, home in _HOMES.items() for name in names.split()}
    __all__ = sorted([*_HOMES, *(name for name in vars(exceptions) if name.endswith("Error"))])

    def _version():
        from pathlib import Path

        manifest = Path(__file__).resolve().parent.parent / "package.xml"
        if manifest.is_file():  # a source tree, maybe one that colcon has linked into an installation
            return manifest.read_text().partition("<version>")[2].partition("<")[0]
        from importlib import metadata  # slower to import than the rest of this file

        return metadata.version(__name__)

    def __getattr__(name):
        if name == "__version__":
            found = _version()
        elif name in _HOMES:
            found = getattr(importlib.import_module(_HOMES[name]), name)
        else:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        globals()[name] = found
        return found

    def __dir__():
        return sorted({*globals(), *__all__, "__version__"})
