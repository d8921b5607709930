"""The identity of an instance as a value."""

from __future__ import annotations

from dataclasses import dataclass

from dimos_ros.naming.names import check_node_name, check_prefix, join, normalize_namespace


@dataclass(frozen=True, order=True)
class InstanceKey:
    """The identity of one module of one blueprint under one namespace.

    ``str()`` gives ``robot1/mapper``; the empty namespace is the global one. Both parts are checked and the
    namespace is normalized, so that equal identities are equal values. Raises InvalidNameError.
    """

    namespace: str
    name: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "namespace", normalize_namespace(self.namespace))
        check_node_name(self.name)

    def __str__(self) -> str:
        return join(self.namespace, self.name)

    @property
    def full_node_name(self) -> str:
        """The fully qualified ROS node name: ``/robot1/mapper``."""
        return f"/{self}"

    @classmethod
    def parse(cls, full_name: str) -> InstanceKey:
        """Return the key of ``robot1/mapper`` or ``/robot1/mapper``. Raises InvalidNameError."""
        namespace, slash, name = full_name.removeprefix("/").rpartition("/")
        return cls(check_prefix(namespace) if slash else "", name)
