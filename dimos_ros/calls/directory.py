"""The directory: the instances that one process can call.

A container keeps one for its modules. It holds the call servers of its own process and, if a coordinator sends them,
the states of all instances of the fleet.
"""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

ACTIVE = "active"
"""The ``state`` of an instance that takes calls."""

UNLOADED = "unloaded"
"""The ``state`` of an instance that belongs to the fleet but has no node at the moment."""


@dataclass(frozen=True)
class Known:
    """An instance of the fleet, as the coordinator last reported it.

    ``incarnation`` changes whenever the instance is loaded anew; calls to the previous incarnation end at once.
    ``state`` is the label of its lifecycle state, or :data:`UNLOADED`. ``restarting`` is true from before the old node
    is taken down until the new one is active. Calls wait until it is false.
    """

    class_name: str
    incarnation: int = 0
    state: str = ACTIVE
    restarting: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Return the instance as plain data."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Known:
        """Return the instance that :meth:`to_dict` wrote. Unknown keys, of a newer coordinator, are ignored."""
        return cls(**{f.name: data[f.name] for f in dataclasses.fields(cls) if f.name in data})

    def __str__(self) -> str:
        return "restarting" if self.restarting else self.state


Watcher = Callable[["Known | None", "Known | None"], None]
"""A function of the old and the new entry (None if there is none). Old and new are the same object when only the local
call server changed."""


class Directory:
    """Instances by full node name. It is thread-safe; the thread that changes an entry calls its watchers, unlocked."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._servers: dict[str, Any] = {}
        self._known: dict[str, Known] = {}
        self._fed = False
        self._watchers: dict[str, list[Watcher]] = {}

    # ------------------------------------------------------------------------------------ from the coordinator

    @property
    def is_fed(self) -> bool:
        """Whether a coordinator sends this process the fleet's instances; if not, only the ROS graph shows them."""
        return self._fed

    def apply(self, changed: Mapping[str, Mapping[str, Any]], gone: Iterable[str] = ()) -> None:
        """Apply changes that the coordinator sent.

        ``changed`` has new and changed instances by full node name (see :meth:`Known.to_dict`), ``gone`` the names of
        instances that have left the fleet.
        """
        self._change({**dict.fromkeys(gone), **{name: Known.from_dict(data) for name, data in changed.items()}})

    def _change(self, changes: Mapping[str, Known | None]) -> None:
        news: list[tuple[Watcher, Known | None, Known | None]] = []
        with self._lock:
            self._fed = True
            for name, now in changes.items():
                before = self._known.get(name)
                if now is None:
                    self._known.pop(name, None)
                else:
                    self._known[name] = now
                if before != now:
                    news += [(watcher, before, now) for watcher in self._watchers.get(name, ())]
        for watcher, before, now in news:
            watcher(before, now)

    # ------------------------------------------------------------------------------------------- for the calls

    def get(self, full_name: str) -> Known | None:
        """Return the instance of that full node name; None if the fleet does not have it."""
        return self._known.get(full_name)

    def of_class(self, class_name: str) -> dict[str, Known]:
        """Return the instances of a class by full node name."""
        with self._lock:
            return {name: known for name, known in sorted(self._known.items()) if known.class_name == class_name}

    def names(self) -> list[str]:
        """Return the full node names of all instances."""
        with self._lock:
            return sorted(self._known)

    def watch(self, full_name: str, watcher: Watcher) -> Callable[[], None]:
        """Call ``watcher`` on every change of that instance; return a function that stops it."""
        with self._lock:
            self._watchers.setdefault(full_name, []).append(watcher)

        def stop() -> None:
            with self._lock:
                watchers = self._watchers.get(full_name, [])
                if watcher in watchers:
                    watchers.remove(watcher)
                if not watchers:
                    self._watchers.pop(full_name, None)

        return stop

    # ------------------------------------------------------------------------------- modules of this process

    def add_server(self, full_name: str, server: Any) -> None:
        """Add a call server of this process."""
        self._set_server(full_name, server)

    def remove_server(self, full_name: str, server: Any) -> None:
        """Remove a call server, unless another one has taken its name."""
        if self._servers.get(full_name) is server:
            self._set_server(full_name, None)

    def _set_server(self, full_name: str, server: Any) -> None:
        with self._lock:
            if server is None:
                self._servers.pop(full_name, None)
            else:
                self._servers[full_name] = server
            known, watchers = self._known.get(full_name), list(self._watchers.get(full_name, ()))
        for watcher in watchers:
            watcher(known, known)

    def server(self, full_name: str) -> Any:
        """Return the call server of an instance in this process; None if this process does not have it."""
        return self._servers.get(full_name)
