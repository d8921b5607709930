"""Which process answers, and whether it still runs: known at once on one machine, where DDS takes 20 s."""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def own_identity() -> dict[str, Any]:
    """This process as plain data: its id, when it started, and the machine (or container) that the id is of."""
    return {"pid": os.getpid(), "start": _start_of(os.getpid()), "machine": _machine()}


class ProcessWatch:
    """A process by its :func:`own_identity`, seen from another."""

    def __init__(self, identity: Mapping[str, Any]) -> None:
        pid, self._start = identity.get("pid"), identity.get("start")
        self._pid = pid if isinstance(pid, int) and self._start and identity.get("machine") == _machine() else 0

    @property
    def has_ended(self) -> bool:
        """Whether it is known to have ended. Of a process on another machine nothing is known."""
        return self._pid != 0 and _start_of(self._pid) != self._start


def _start_of(pid: int) -> str:
    """When a process started, in the kernel's own unit; "" where it does not run, as a zombie does not."""
    try:
        # The command's name, in parentheses, may have spaces and parentheses of its own.
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] in "ZXx" else fields[19]


@functools.cache
def _machine() -> str:
    """Names the space in which a process id means this process; "" where that is not known."""
    try:
        return f"{Path('/proc/sys/kernel/random/boot_id').read_text().strip()} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return ""
