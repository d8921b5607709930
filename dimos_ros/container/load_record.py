"""A file with the load requests of a container's nodes, from which they are loaded again after a crash."""

from __future__ import annotations

import contextlib
import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dimos_ros.exceptions import DimosError
from dimos_ros.loading.load_request import LoadRequest

MAX_ATTEMPTS = 3
"""How often a container tries to load a node again, if the container dies during each attempt."""


VERSION = 1
"""Version of the file's form."""


class RestoreFileError(DimosError, ValueError):
    """A file to restore nodes from that no container has written, or one of another version."""


class LoadRecord:
    """The load requests of the nodes that run, by id, in the file ``path``. Thread-safe.

    The file exists while a container runs. If it exists before a container starts, the last container crashed.
    Raises OSError if the file cannot be read or written, RestoreFileError if it was written by something else.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._last_id = 0
        self._nodes: dict[int, dict[str, Any]] = {}
        with contextlib.suppress(FileNotFoundError):
            self._read(path.read_bytes())
        self._write()

    @property
    def last_id(self) -> int:
        """The highest id that a node has had."""
        return self._last_id

    def left(self) -> Iterator[tuple[int, LoadRequest]]:
        """Yield the id and request of each node that a crashed container left, sorted by id."""
        for unique_id, node in sorted(self._nodes.items()):
            with self._lock:
                if node["attempts"] >= MAX_ATTEMPTS:
                    del self._nodes[unique_id]
                    continue
                node["attempts"] += 1
                self._write()
            yield unique_id, LoadRequest.from_dict(node["request"])

    def loaded(self, unique_id: int, full_name: str, request: LoadRequest) -> None:
        """Record that a node runs."""
        with self._lock:
            self._last_id = max(self._last_id, unique_id)
            self._nodes[unique_id] = {"node": full_name, "attempts": 0, "request": request.to_dict()}
            self._write()

    def unloaded(self, unique_id: int) -> None:
        """Remove a node that was unloaded or could not be loaded again."""
        with self._lock:
            if self._nodes.pop(unique_id, None) is not None:
                self._write()

    def close(self) -> None:
        """Delete the file when the container ends normally, so that the next container starts empty."""
        with self._lock:
            self._path.unlink(missing_ok=True)

    def _read(self, content: bytes) -> None:
        try:
            data = json.loads(content)
            if data["version"] != VERSION:
                raise ValueError(f"it has version {data['version']!r:.40}, and this container reads version {VERSION}")
            self._last_id = int(data["last_id"])
            self._nodes = {int(unique_id): _checked(node) for unique_id, node in data["nodes"].items()}
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise RestoreFileError(
                f"{self._path} is not a file that a container wrote to restore its nodes from "
                f"({type(error).__name__}: {error}); delete it to start empty"
            ) from None

    def _write(self) -> None:
        data = {
            "version": VERSION,
            "last_id": self._last_id,
            "nodes": {str(number): node for number, node in self._nodes.items()},
        }
        # A replaced file is always complete, even if the container dies in between.
        new = self._path.with_name(f"{self._path.name}.{os.getpid()}")
        new.write_text(json.dumps(data, indent=1))
        new.replace(self._path)


def _checked(node: dict[str, Any]) -> dict[str, Any]:
    """Return a node of the file, if all is there that is needed to load it."""
    LoadRequest.from_dict(node["request"])
    return {"node": str(node["node"]), "attempts": int(node["attempts"]), "request": node["request"]}
