"""Many robots from one blueprint, on ROS 2.

The public names are loaded when they are first used: importing this package is quick, and composing and
checking blueprints works where rclpy is missing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dimos_ros.blueprint.blueprint import Blueprint, autoconnect
    from dimos_ros.blueprint.plan import Plan, plan
    from dimos_ros.coordinator.coordinator import ModuleCoordinator
    from dimos_ros.exceptions import (
        AmbiguousInstanceError,
        ArgumentError,
        BlueprintError,
        BuildError,
        CallError,
        CallTimeoutError,
        ClassNotFoundError,
        ContainerDiedError,
        CoordinatorStoppedError,
        DeclarationError,
        DimosError,
        FleetFileError,
        InstanceNotFoundError,
        InvalidNameError,
        LoadRefusedError,
        ModuleFailedError,
        RemoteError,
        RequestTimeoutError,
        TargetDiedError,
        TargetInactiveError,
        TargetNotFoundError,
        UnknownMethodError,
    )
    from dimos_ros.module import In, Module, Out, QoS, param, rpc
    from dimos_ros.module.images import image_array, image_message
    from dimos_ros.naming.instance_key import InstanceKey

_ROOMS = {
    "dimos_ros.blueprint.blueprint": ("Blueprint", "autoconnect"),
    "dimos_ros.naming.instance_key": ("InstanceKey",),
    "dimos_ros.blueprint.plan": ("Plan", "plan"),
    "dimos_ros.coordinator.coordinator": ("ModuleCoordinator",),
    "dimos_ros.exceptions": (
        "AmbiguousInstanceError",
        "ArgumentError",
        "BlueprintError",
        "BuildError",
        "CallError",
        "CallTimeoutError",
        "ClassNotFoundError",
        "ContainerDiedError",
        "CoordinatorStoppedError",
        "DeclarationError",
        "DimosError",
        "FleetFileError",
        "InstanceNotFoundError",
        "InvalidNameError",
        "LoadRefusedError",
        "ModuleFailedError",
        "RemoteError",
        "RequestTimeoutError",
        "TargetDiedError",
        "TargetInactiveError",
        "TargetNotFoundError",
        "UnknownMethodError",
    ),
    "dimos_ros.module": ("In", "Module", "Out", "QoS", "param", "rpc"),
    "dimos_ros.module.images": ("image_array", "image_message"),
}
_HOMES = {name: room for room, names in _ROOMS.items() for name in names}

__all__ = [
    "AmbiguousInstanceError",
    "ArgumentError",
    "Blueprint",
    "BlueprintError",
    "BuildError",
    "CallError",
    "CallTimeoutError",
    "ClassNotFoundError",
    "ContainerDiedError",
    "CoordinatorStoppedError",
    "DeclarationError",
    "DimosError",
    "FleetFileError",
    "In",
    "InstanceKey",
    "InstanceNotFoundError",
    "InvalidNameError",
    "LoadRefusedError",
    "Module",
    "ModuleCoordinator",
    "ModuleFailedError",
    "Out",
    "Plan",
    "QoS",
    "RemoteError",
    "RequestTimeoutError",
    "TargetDiedError",
    "TargetInactiveError",
    "TargetNotFoundError",
    "UnknownMethodError",
    "autoconnect",
    "image_array",
    "image_message",
    "param",
    "plan",
    "rpc",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(importlib.import_module(home), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
