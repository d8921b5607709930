"""A module that lists the nodes it has discovered."""

from __future__ import annotations

from dimos_ros import Module, rpc


class Onlooker(Module):
    """A module that looks at the graph from its container."""

    @rpc
    def nodes(self) -> list[str]:
        """Return the full names of the nodes that its process has discovered."""
        return [f"{space.rstrip('/')}/{name}" for name, space in self.get_node_names_and_namespaces()]
