"""Memory of large messages."""

from __future__ import annotations

import contextlib
import ctypes
import os
from collections.abc import Mapping

LARGEST = 32 << 20
"""Bytes; the most that the C library lets this be."""
KEPT = 128 << 20
"""Bytes at most that a process keeps of what it has freed."""

_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3


def keep_freed_memory(environment: Mapping[str, str] = os.environ) -> bool:
    """Have this process, and what it forks, use freed memory again instead of giving it back to the system.

    A received image passes through three buffers of its size. The C library would hand each back and ask for it
    anew, and the system would clear it a page at a time: most of the time that an image of 6 MB takes. Returns
    whether it could be set; a user's own settings, and C libraries other than GNU's, are left alone.
    """
    if any(name == "GLIBC_TUNABLES" or name.startswith("MALLOC_") for name in environment):
        return False
    with contextlib.suppress(OSError):
        libc = ctypes.CDLL(None)
        if not hasattr(libc, "gnu_get_libc_version"):
            return False
        return bool(libc.mallopt(_M_MMAP_THRESHOLD, LARGEST) and libc.mallopt(_M_TRIM_THRESHOLD, KEPT))
    return False
