"""One module of a running fleet as a value: ``dimos_interfaces/msg/ModuleInfo`` without ROS."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from dimos_ros.coordinator.selection import Candidate, select, select_namespace
from dimos_ros.naming.instance_key import InstanceKey


@dataclass(frozen=True)
class ModuleStatus:
    """The fields of the message, in its units: ``uptime`` is in seconds."""

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
        """The value of a ``ModuleInfo`` message."""
        return cls(**{field.name: getattr(message, field.name) for field in fields(cls)})

    def to_dict(self) -> dict[str, Any]:
        """Every field by its name, for JSON."""
        return asdict(self)

    @property
    def namespace_text(self) -> str:
        """The namespace as people write it; the global one is ``/``."""
        return self.node_namespace.strip("/") or "/"


def in_order(modules: Iterable[ModuleStatus]) -> list[ModuleStatus]:
    """Sorted for people: by namespace, then by node name."""
    return sorted(modules, key=lambda module: (module.node_namespace, module.node_name))


def below(modules: Sequence[ModuleStatus], namespace: str) -> list[ModuleStatus]:
    """Those in a namespace or in one below it, as the coordinator understands it. Raises InstanceNotFoundError."""
    _, keys = select_namespace([_candidate(module) for module in modules], namespace)
    return [module for module in modules if _candidate(module).key in keys]


def find(modules: Sequence[ModuleStatus], namespace: str, module: str, node_name: str = "") -> ModuleStatus:
    """The one module that is meant: ``module`` is its class or, where no class has that name, its node name.

    The rules are the coordinator's. Raises InstanceNotFoundError and AmbiguousInstanceError.
    """
    candidates = [_candidate(status) for status in modules]
    is_class = any(candidate.is_of(module) for candidate in candidates)
    if not (is_class or node_name) and module in {status.node_name for status in modules}:
        module, node_name = "", module
    key = select(candidates, namespace, module, node_name)
    return next(status for status, candidate in zip(modules, candidates, strict=True) if candidate.key == key)


def _candidate(module: ModuleStatus) -> Candidate:
    return Candidate(InstanceKey(module.node_namespace, module.node_name), module.class_name, (module.class_path,))
