"""What a process knows of the instances around it.

The container that hosts modules keeps one: the call servers of its own process, and, where a coordinator
tells it, which instances the fleet has and what has become of them.
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
"""The ``state`` of an instance that the fleet is to have and that has no node now."""


@dataclass(frozen=True)
class Known:
    """An instance of the fleet, as the coordinator has it.

    ``incarnation`` changes whenever it is loaded anew; a call to the one before ends at once. ``state`` is its
    lifecycle state's label, or :data:`UNLOADED`. ``restarting`` while it is certain to be brought back, from
    before the old one is taken down until the new one is active: calls wait for that.
    """

    class_name: str
    incarnation: int = 0
    state: str = ACTIVE
    restarting: bool = False

    def to_dict(self) -> dict[str, Any]:
        """As plain data."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Known:
        """From plain data; what a newer coordinator says besides is left out."""
        return cls(**{f.name: data[f.name] for f in dataclasses.fields(cls) if f.name in data})

    def __str__(self) -> str:
        return "restarting" if self.restarting else self.state


Watcher = Callable[["Known | None", "Known | None"], None]
"""Called with what was known before and what is now, None for nothing; with the same twice where the instance came
into this process or left it."""


class Directory:
    """Thread-safe. Watchers are called outside of the lock, by whoever brings the news."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._servers: dict[str, Any] = {}
        self._known: dict[str, Known] = {}
        self._fed = False
        self._watchers: dict[str, list[Watcher]] = {}

    # ------------------------------------------------------------------------------------ from the coordinator

    @property
    def is_fed(self) -> bool:
        """Whether a coordinator tells this process of the fleet; else only the graph knows."""
        return self._fed

    def update(self, instances: Mapping[str, Known]) -> None:
        """Take over the fleet's present instances, by full node name; those not in it are no more."""
        with self._lock:
            gone = self._known.keys() - instances.keys()
        self._change({**dict.fromkeys(gone), **instances})

    def apply(self, changed: Mapping[str, Mapping[str, Any]], gone: Iterable[str] = ()) -> None:
        """Take over changes as plain data: those that are new or other, by full node name (see
        :meth:`Known.to_dict`), and the names of those that are no more."""
        self._change({**dict.fromkeys(gone), **{name: Known.from_dict(data) for name, data in changed.items()}})

    def snapshot(self) -> dict[str, dict[str, Any]]:
        """All instances as plain data, such as another directory's :meth:`apply` takes as ``changed``."""
        with self._lock:
            return {name: known.to_dict() for name, known in self._known.items()}

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
        """The instance of that full node name, if the fleet has it."""
        return self._known.get(full_name)

    def of_class(self, class_name: str) -> dict[str, Known]:
        """The instances of a class by full name."""
        with self._lock:
            return {name: one for name, one in sorted(self._known.items()) if one.class_name == class_name}

    def names(self) -> list[str]:
        """Full names of all instances."""
        with self._lock:
            return sorted(self._known)

    def watch(self, full_name: str, watcher: Watcher) -> Callable[[], None]:
        """Call ``watcher`` on every change of that instance; returns what ends that."""
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
        """A call server of this process."""
        self._set_server(full_name, server)

    def remove_server(self, full_name: str, server: Any) -> None:
        """Forget a call server, if it is still the one of that name."""
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
        """The call server of an instance in this process; None if it is elsewhere."""
        return self._servers.get(full_name)
