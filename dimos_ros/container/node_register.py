"""The register of the ids and full names that a container's nodes use."""

from __future__ import annotations

import threading
from collections.abc import Mapping

from dimos_ros.exceptions import LoadRefusedError

CONTAINER = 0
"""The id of the container's own node. The ids of other nodes start at 1."""


class NodeRegister:
    """The register of ids and full node names. It keeps both unique. Thread-safe.

    An id is given once, unless its request was refused.
    """

    def __init__(self, taken: Mapping[str, int] | None = None) -> None:
        self._lock = threading.Lock()
        self._last_id = 0
        self._owners = dict(taken or {})
        self._ready: set[int] = set(self._owners.values())
        self._closed = False

    def begin(self, expected: str = "", unique_id: int | None = None) -> int:
        """Return the id of a new node: the next one, or ``unique_id`` for a node that is loaded again.

        ``expected`` is the node's full name, if the request gives it. Raises LoadRefusedError if a node has this
        name.
        """
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
        """Register the full name of a constructed node. If another name was expected, that name becomes free.

        Raises LoadRefusedError if another node has the name.
        """
        with self._lock:
            if self._owners.get(name) == unique_id:
                return
            self._check_free(name)
            self._drop_names(unique_id)
            self._owners[name] = unique_id

    def ready(self, unique_id: int) -> None:
        """Record that a node is loaded."""
        with self._lock:
            self._ready.add(unique_id)

    def release(self, unique_id: int, refused: bool = False) -> None:
        """Free the name of a node that has ended.

        Its id becomes free only if its request was ``refused`` and no later id was given.
        """
        with self._lock:
            self._drop_names(unique_id)
            self._ready.discard(unique_id)
            if refused and self._last_id == unique_id:
                self._last_id -= 1

    def reserve(self, name: str) -> None:
        """Refuse nodes with this name, since the container itself has it."""
        with self._lock:
            self._owners[name] = CONTAINER

    def skip_to(self, unique_id: int) -> None:
        """Count ids up to ``unique_id`` as used."""
        with self._lock:
            self._last_id = max(self._last_id, unique_id)

    def taken(self) -> dict[str, int]:
        """Return the names in use, each with the id of its node."""
        with self._lock:
            return dict(self._owners)

    @property
    def last_id(self) -> int:
        """The highest id that a node has had."""
        return self._last_id

    def close(self) -> None:
        """Refuse all later requests."""
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
            raise LoadRefusedError(f"{name} is the name of the container; give the node another name")
        state = "runs" if owner in self._ready else "is being loaded"
        raise LoadRefusedError(
            f"{name} {state} in this container already, with unique_id {owner}; "
            "unload it first, or give another node name or namespace"
        )

    def _drop_names(self, unique_id: int) -> None:
        for name in [n for n, owner in self._owners.items() if owner == unique_id]:
            del self._owners[name]
