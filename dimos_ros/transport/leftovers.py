"""Shared memory that killed processes leave: Fast DDS gives back only what a process closes itself."""

from __future__ import annotations

import contextlib
import fcntl
import re
from collections.abc import Iterable
from pathlib import Path

from dimos_ros.transport.profiles import SHARED_MEMORY

_LOCK = re.compile(r"(?:fastrtps|fastdds)_[0-9a-f]{16}_el")
"""Names of the locks that a process holds on its own segments as long as it lives."""


def segments_of(pid: int) -> frozenset[str]:
    """Names of the segments that a running process has made; none where it cannot be looked into."""
    found = set()
    with contextlib.suppress(OSError):
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                target = descriptor.readlink()
                if target.parent == SHARED_MEMORY and _LOCK.fullmatch(target.name):
                    found.add(target.name.removesuffix("_el"))
    return frozenset(found)


def remove_segments(names: Iterable[str]) -> list[str]:
    """Remove segments that a process had, now that it has ended, and return those that were left.

    One whose lock is held belongs to somebody, and stays.
    """
    removed = []
    for name in names:
        lock = SHARED_MEMORY / f"{name}_el"
        # What is not there was given back by its process.
        with contextlib.suppress(OSError), lock.open() as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            (SHARED_MEMORY / name).unlink(missing_ok=True)
            lock.unlink()
            removed.append(name)
    return removed
