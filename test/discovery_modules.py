"""A module that says what it sees of the graph."""

from __future__ import annotations

from dimos_ros import Module, rpc


class Onlooker(Module):
    """Looks at the graph from its container."""

    @rpc
    def nodes(self) -> list[str]:
        """Full names of the nodes that its process knows."""
        return [f"{space.rstrip('/')}/{name}" for name, space in self.get_node_names_and_namespaces()]
