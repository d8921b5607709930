"""The identity of a process, by which another process on the same machine knows at once whether it still runs.

DDS reports the end of a process only after 20 s.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def own_identity() -> dict[str, Any]:
    """Return this process's id, its start time, and the machine or system container that the id belongs to."""
    return {"pid": os.getpid(), "start": _start_of(os.getpid()), "machine": _machine()}


class ProcessWatch:
    """Another process, given by the :func:`own_identity` that it reported."""

    def __init__(self, identity: Mapping[str, Any]) -> None:
        pid, self._start = identity.get("pid"), identity.get("start")
        self._pid = pid if isinstance(pid, int) and self._start and identity.get("machine") == _machine() else 0

    @property
    def has_ended(self) -> bool:
        """Whether the process has certainly ended; False on another machine, where its state is unknown."""
        return self._pid != 0 and _start_of(self._pid) != self._start


def _start_of(pid: int) -> str:
    """Return a process's start time, in the kernel's unit; "" if the process does not run. A zombie does not run."""
    try:
        # The command's name stands in parentheses, and may itself contain spaces and parentheses.
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] in "ZXx" else fields[19]


@functools.cache
def _machine() -> str:
    """Return a name for the boot and namespace in which process ids are unique; "" if it cannot be read."""
    try:
        return f"{Path('/proc/sys/kernel/random/boot_id').read_text().strip()} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return ""
