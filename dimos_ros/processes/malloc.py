"""Settings of the C library's memory allocator: for large messages, and for processes with many threads."""

from __future__ import annotations

import contextlib
import ctypes
import os
from collections.abc import Mapping

LARGEST = 32 << 20
"""Bytes of the largest block that is kept for reuse. It is the C library's upper limit."""
KEPT = 128 << 20
"""The most bytes of freed memory that a process keeps."""
ARENAS = 2
"""The number of heaps: one for Python's threads, of which one runs at a time, and one for the threads of DDS."""

_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3
_M_ARENA_MAX = -8


def keep_freed_memory(environment: Mapping[str, str] = os.environ) -> bool:
    """Let this process and its forks reuse freed memory instead of returning it to the system.

    A received image passes through three buffers of its size. By default the C library returns each buffer to the
    system and requests a new one, which the system clears page by page. That is most of the time that an image of
    6 MB takes. Return whether the C library accepted the settings.
    """
    return _set(environment, {_M_MMAP_THRESHOLD: LARGEST, _M_TRIM_THRESHOLD: KEPT})


def limit_arenas(environment: Mapping[str, str] = os.environ) -> bool:
    """Let the threads of this process share :data:`ARENAS` heaps. Call this before many threads have started.

    The GNU C library gives each thread a heap that is free at that time, up to eight heaps per core. With a thread
    for each node, the next node does not find the memory that the last one freed, since it uses another heap. A
    thousand rounds of loading and unloading then add 30 MB. Return whether the C library accepted the setting.
    """
    return _set(environment, {_M_ARENA_MAX: ARENAS})


def _set(environment: Mapping[str, str], options: Mapping[int, int]) -> bool:
    """Set options of the GNU C library. Change nothing if the user has settings, or the C library is another one."""
    if any(name == "GLIBC_TUNABLES" or name.startswith("MALLOC_") for name in environment):
        return False
    with contextlib.suppress(OSError):
        libc = ctypes.CDLL(None)
        return hasattr(libc, "gnu_get_libc_version") and all(libc.mallopt(*option) for option in options.items())
    return False
