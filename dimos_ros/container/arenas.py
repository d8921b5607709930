"""How many heaps the C library keeps for a process of many threads."""

from __future__ import annotations

import contextlib
import ctypes
import os
from collections.abc import Mapping

ARENAS = 2
"""One that Python's threads use, of which one runs at a time, and one for those of DDS."""

_M_ARENA_MAX = -8


def limit_arenas(environment: Mapping[str, str] = os.environ) -> bool:
    """Have the threads of this process share heaps; before it has many. Whether that could be set.

    The GNU C library gives each thread the heap that is free just then, eight a core. With a thread for each
    node, what a node has freed lies in another heap than the next one looks in: in a thousand rounds of
    loading and unloading 30 MB come together. A user's own settings are left alone.
    """
    if any(name == "GLIBC_TUNABLES" or name.startswith("MALLOC_") for name in environment):
        return False
    with contextlib.suppress(OSError):
        libc = ctypes.CDLL(None)
        return hasattr(libc, "gnu_get_libc_version") and bool(libc.mallopt(_M_ARENA_MAX, ARENAS))
    return False
