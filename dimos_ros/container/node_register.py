"""Ids and full names of a container's nodes: which are given, and which are free."""

from __future__ import annotations

import threading
from collections.abc import Mapping

from dimos_ros.exceptions import LoadRefusedError

CONTAINER = 0
"""Owner of the container's own name. Nodes have ids from 1."""


class NodeRegister:
    """Gives each node an id, never the same one twice, and keeps full names unique. Thread-safe."""

    def __init__(self, taken: Mapping[str, int] | None = None) -> None:
        self._lock = threading.Lock()
        self._last_id = 0
        self._owners = dict(taken or {})
        self._ready: set[int] = set(self._owners.values())
        self._closed = False

    def begin(self, expected: str = "", unique_id: int | None = None) -> int:
        """An id for a node of that full name, as far as it is known: the next one, or ``unique_id`` for one
        that had it before. Raises LoadRefusedError where the name is not free."""
        with self._lock:
            if self._closed:
                raise LoadRefusedError("the container is closing")
            self._check_free(expected)
            given = self._last_id + 1 if unique_id is None else unique_id
            self._last_id = max(self._last_id, given)
            if expected:
                self._owners[expected] = given
            return given

    def claim(self, name: str, unique_id: int) -> None:
        """Give a name to the node that has got it; another that was expected is free again.

        Raises LoadRefusedError where another node has it.
        """
        with self._lock:
            if self._owners.get(name) == unique_id:
                return
            self._check_free(name)
            self._drop_names(unique_id)
            self._owners[name] = unique_id

    def ready(self, unique_id: int) -> None:
        """A node is loaded."""
        with self._lock:
            self._ready.add(unique_id)

    def release(self, unique_id: int, refused: bool = False) -> None:
        """A node is gone, and its name free; its id is not, unless it was ``refused`` and the last one given."""
        with self._lock:
            self._drop_names(unique_id)
            self._ready.discard(unique_id)
            if refused and self._last_id == unique_id:
                self._last_id -= 1

    def reserve(self, name: str) -> None:
        """Refuse nodes of that name: it is the container's own."""
        with self._lock:
            self._owners[name] = CONTAINER

    def skip_to(self, unique_id: int) -> None:
        """Count ids up to ``unique_id`` as used."""
        with self._lock:
            self._last_id = max(self._last_id, unique_id)

    def taken(self) -> dict[str, int]:
        """Names that are not free, and whose they are."""
        with self._lock:
            return dict(self._owners)

    @property
    def last_id(self) -> int:
        """The highest id that was given."""
        return self._last_id

    def close(self) -> None:
        """Refuse whatever comes from now on."""
        with self._lock:
            self._closed = True

    @property
    def is_closed(self) -> bool:
        """Whether :meth:`close` was called."""
        return self._closed

    def _check_free(self, name: str) -> None:
        owner = self._owners.get(name)
        if owner is None:
            return
        if owner == CONTAINER:
            raise LoadRefusedError(f"{name} is the name of the container; give the node another one")
        state = "runs" if owner in self._ready else "is being loaded"
        raise LoadRefusedError(
            f"{name} {state} in this container already, with unique_id {owner}; "
            "unload it first, or give another node name or namespace"
        )

    def _drop_names(self, unique_id: int) -> None:
        for name in [n for n, owner in self._owners.items() if owner == unique_id]:
            del self._owners[name]
