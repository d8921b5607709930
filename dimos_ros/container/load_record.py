"""What a container has loaded, kept in a file, so that it can be loaded again after a crash."""

from __future__ import annotations

import contextlib
import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dimos_ros.loading.load_request import LoadRequest

MAX_ATTEMPTS = 3
"""How often a node is loaded again if the container dies while it does that."""


class LoadRecord:
    """The load requests of the nodes that run, by id, in the file ``path``. Thread-safe.

    The file is there as long as a container runs; one that is found was left by a container that crashed.
    Raises OSError where the file can be neither read nor written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._last_id = 0
        self._nodes: dict[int, dict[str, Any]] = {}
        with contextlib.suppress(FileNotFoundError):
            self._read(json.loads(path.read_text()))
        self._write()

    @property
    def last_id(self) -> int:
        """The highest id that was given."""
        return self._last_id

    def left(self) -> Iterator[tuple[int, LoadRequest]]:
        """Id and request of each node that was loaded before, to be loaded again, by id."""
        for unique_id, node in sorted(self._nodes.items()):
            with self._lock:
                if node["attempts"] >= MAX_ATTEMPTS:
                    del self._nodes[unique_id]
                    continue
                node["attempts"] += 1
                self._write()
            yield unique_id, LoadRequest.from_dict(node["request"])

    def loaded(self, unique_id: int, full_name: str, request: LoadRequest) -> None:
        """A node runs."""
        with self._lock:
            self._last_id = max(self._last_id, unique_id)
            self._nodes[unique_id] = {"node": full_name, "attempts": 0, "request": request.to_dict()}
            self._write()

    def unloaded(self, unique_id: int) -> None:
        """A node is gone, on purpose or because it could not be loaded."""
        with self._lock:
            if self._nodes.pop(unique_id, None) is not None:
                self._write()

    def close(self) -> None:
        """The container ends as it should; the next one starts empty."""
        with self._lock:
            self._path.unlink(missing_ok=True)

    def _read(self, data: dict[str, Any]) -> None:
        self._last_id = data["last_id"]
        self._nodes = {int(unique_id): node for unique_id, node in data["nodes"].items()}

    def _write(self) -> None:
        data = {"last_id": self._last_id, "nodes": {str(number): node for number, node in self._nodes.items()}}
        # Never half a file, whenever the container dies.
        new = self._path.with_name(f"{self._path.name}.{os.getpid()}")
        new.write_text(json.dumps(data, indent=1))
        new.replace(self._path)
