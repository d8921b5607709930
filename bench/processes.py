"""Processes: how they start and end, their descendants, memory and processor time."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

END_SECONDS = 20.0
CLOCK_OF_PROCESS = 2
"""Linux's number of the clock that counts the time of all threads of a process, ended ones included."""


def python(*arguments: str, quiet: bool = True, **options: object) -> subprocess.Popen[str]:
    """Start this Python with arguments. Drop its standard output if ``quiet``, and otherwise pipe it."""
    output = subprocess.DEVNULL if quiet else subprocess.PIPE
    return subprocess.Popen(
        [sys.executable, *arguments],
        stdin=subprocess.PIPE,
        stdout=output,
        text=True,
        **options,  # type: ignore[call-overload]
    )


def with_descendants(pid: int) -> list[int]:
    """Return a process and all its descendants."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError, IndexError):
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                children.setdefault(parent, []).append(int(entry.name))
    found = [pid]
    for each in found:
        found += children.get(each, [])
    return found


def is_running(pid: int) -> bool:
    """Tell whether a process runs. A zombie, which only waits for its parent, does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def memory(pids: Iterable[int]) -> float:
    """Return the proportional set size of all processes together, in MB. Shared pages count once."""
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1])
    return total / 1024


def processor_time(pids: Iterable[int]) -> float:
    """Return the seconds of processor time that processes have used so far."""
    total = 0.0
    for pid in pids:
        with contextlib.suppress(OSError):
            total += time.clock_gettime(~pid << 3 | CLOCK_OF_PROCESS)
    return total


def end(processes: Sequence[subprocess.Popen[str]], number: int = signal.SIGINT) -> float:
    """End processes with a signal, or by force after END_SECONDS. Return the seconds until all were gone."""
    started = time.monotonic()
    for process in processes:
        with contextlib.suppress(OSError):
            process.send_signal(number)
    for process in processes:
        try:
            process.wait(max(0.0, started + END_SECONDS - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    took = time.monotonic() - started
    for process in processes:
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()
    return took
