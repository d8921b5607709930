"""The status of a module as a value: ``dimos_interfaces/msg/ModuleInfo`` without ROS."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from typing import Any


@dataclass(frozen=True)
class ModuleStatus:
    """Status of a module, with the fields of the message; ``uptime`` is in seconds. In a plan only names are set."""

    node_namespace: str
    class_name: str
    node_name: str
    full_node_name: str
    state: str = ""
    health: str = ""
    container: str = ""
    process_id: int = 0
    restarts: int = 0
    uptime: float = 0.0
    last_error: str = ""
    class_path: str = ""
    unique_id: int = 0

    @classmethod
    def from_message(cls, message: Any) -> ModuleStatus:
        """Return the status that a ``ModuleInfo`` message holds."""
        return cls(**{field.name: getattr(message, field.name) for field in fields(cls)})

    def to_dict(self) -> dict[str, Any]:
        """Return every field by name, for JSON."""
        return asdict(self)

    @property
    def namespace_text(self) -> str:
        """The namespace as people write it; the global one is ``/``."""
        return self.node_namespace or "/"


def in_order(modules: Iterable[ModuleStatus]) -> list[ModuleStatus]:
    """Return modules sorted by namespace, then by node name."""
    return sorted(modules, key=lambda module: (module.node_namespace, module.node_name))
