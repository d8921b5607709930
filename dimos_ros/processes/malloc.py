"""How the C library keeps memory: for large messages, and for a process of many threads."""

from __future__ import annotations

import contextlib
import ctypes
import os
from collections.abc import Mapping

LARGEST = 32 << 20
"""Bytes of the largest block that is kept for reuse; the C library allows no more."""
KEPT = 128 << 20
"""Bytes of freed memory that a process keeps at most."""
ARENAS = 2
"""One heap that Python's threads use, of which one runs at a time, and one for those of DDS."""

_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3
_M_ARENA_MAX = -8


def keep_freed_memory(environment: Mapping[str, str] = os.environ) -> bool:
    """Have this process and its forks use freed memory again instead of giving it back to the system.

    A received image passes through three buffers of its size. By default the C library hands each back and asks
    for it anew, and the system clears it page by page: most of the time that an image of 6 MB takes. Returns
    whether it could be set.
    """
    return _set(environment, {_M_MMAP_THRESHOLD: LARGEST, _M_TRIM_THRESHOLD: KEPT})


def limit_arenas(environment: Mapping[str, str] = os.environ) -> bool:
    """Have the threads of this process share heaps; call it before there are many. Returns whether it could be set.

    The GNU C library gives each thread the heap that is free just then, up to eight a core. With a thread for each
    node, the memory that one node freed lies in another heap than the next node looks in: a thousand rounds of
    loading and unloading add 30 MB.
    """
    return _set(environment, {_M_ARENA_MAX: ARENAS})


def _set(environment: Mapping[str, str], options: Mapping[int, int]) -> bool:
    """Set options of the GNU C library. A user's own settings and other C libraries are left alone."""
    if any(name == "GLIBC_TUNABLES" or name.startswith("MALLOC_") for name in environment):
        return False
    with contextlib.suppress(OSError):
        libc = ctypes.CDLL(None)
        return hasattr(libc, "gnu_get_libc_version") and all(libc.mallopt(*option) for option in options.items())
    return False
