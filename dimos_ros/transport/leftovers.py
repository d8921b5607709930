"""Removing the shared memory that a killed process leaves; Fast DDS frees it only when a process closes it itself."""

from __future__ import annotations

import contextlib
import fcntl
import re
from collections.abc import Iterable
from pathlib import Path

from dimos_ros.transport.profiles import SHARED_MEMORY

_LOCK = re.compile(r"(?:fastrtps|fastdds)_[0-9a-f]{16}_el")
"""File names of the locks that a process holds on its segments as long as it runs."""


def segments_of(pid: int) -> frozenset[str]:
    """Return the names of the segments that a running process has made; none if its files cannot be read."""
    found = set()
    with contextlib.suppress(OSError):
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                target = descriptor.readlink()
                if target.parent == SHARED_MEMORY and _LOCK.fullmatch(target.name):
                    found.add(target.name.removesuffix("_el"))
    return frozenset(found)


def remove_segments(names: Iterable[str]) -> list[str]:
    """Remove the segments that an ended process has left, and return their names.

    A segment whose lock is held belongs to a running process and stays.
    """
    removed = []
    for name in names:
        lock = SHARED_MEMORY / f"{name}_el"
        # A segment that does not exist was freed by its process.
        with contextlib.suppress(OSError), lock.open() as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            (SHARED_MEMORY / name).unlink(missing_ok=True)
            lock.unlink()
            removed.append(name)
    return removed
