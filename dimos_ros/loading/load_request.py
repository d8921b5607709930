"""The load request of one instance: the fields of ``composition_interfaces/srv/LoadNode``, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dimos_ros.loading.values import FrozenMap, ParameterValue, from_data, to_data


@dataclass(frozen=True)
class LoadRequest:
    """All that a module is given when it is loaded; the coordinator keeps it as the desired state.

    ``plugin_name`` is the import path of the class, ``package_name`` its outermost Python package.
    ``node_namespace`` is absolute (``/`` is the global one). With ``log_level`` 0 the node has its container's level.
    ``parameters`` hold the parameters that were set, then the full node names of the references.
    """

    package_name: str
    plugin_name: str
    node_name: str
    node_namespace: str
    remap_rules: tuple[str, ...] = ()
    parameters: Mapping[str, ParameterValue] = field(default_factory=dict)
    log_level: int = 0
    extra_arguments: Mapping[str, bool] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "remap_rules", tuple(self.remap_rules))
        for name in ("parameters", "extra_arguments"):
            if not isinstance(getattr(self, name), FrozenMap):
                object.__setattr__(self, name, FrozenMap(getattr(self, name)))

    @property
    def full_node_name(self) -> str:
        """The fully qualified name of the node: ``/robot1/mapper``."""
        return f"{self.node_namespace.rstrip('/')}/{self.node_name}"

    def to_dict(self) -> dict[str, Any]:
        """Return the request as data that JSON holds without loss."""
        return {
            "package_name": self.package_name,
            "plugin_name": self.plugin_name,
            "node_name": self.node_name,
            "node_namespace": self.node_namespace,
            "remap_rules": list(self.remap_rules),
            "parameters": {name: to_data(value) for name, value in self.parameters.items()},
            "log_level": self.log_level,
            "extra_arguments": dict(self.extra_arguments),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> LoadRequest:
        """Return the request that :meth:`to_dict` wrote."""
        parameters = {name: from_data(value) for name, value in data["parameters"].items()}
        return cls(**{**data, "remap_rules": tuple(data["remap_rules"]), "parameters": parameters})
