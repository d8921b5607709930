"""Finding the message types that carry images, by their definitions and without importing their code."""

from __future__ import annotations

import contextlib
import functools
import os
import re
from pathlib import Path

NOT_LARGE = frozenset({"visualization_msgs"})
"""Packages whose messages rarely use their raw bytes, such as the texture of a marker."""
_BYTES = re.compile(r"(?:uint8|byte)\[\]")
_TYPE = re.compile(r"([a-z][a-z0-9_]*/)?(?:msg/)?([A-Z][A-Za-z0-9]*)(?:\[.*\])?")


def carries_bytes(message_type: str) -> bool:
    """Return whether messages of a type, such as sensor_msgs/msg/Image, have a field of raw bytes of any length.

    Images and point clouds do, and so do messages that contain them. Of a type that is not installed the answer is no.
    """
    return _carries_bytes(message_type, os.environ.get("AMENT_PREFIX_PATH", ""))


@functools.cache
def _carries_bytes(message_type: str, prefixes: str) -> bool:
    package, _, name = message_type.partition("/")
    looked_at: set[tuple[str, str]] = set()
    left = [(package, name.rpartition("/")[2])]
    while left:
        package, name = left.pop()
        if package in NOT_LARGE or (package, name) in looked_at:
            continue
        looked_at.add((package, name))
        for field in _field_types(package, name, prefixes):
            if _BYTES.fullmatch(field):
                return True
            if nested := _TYPE.fullmatch(field):
                left.append(((nested[1] or package).rstrip("/"), nested[2]))
    return False


def _field_types(package: str, name: str, prefixes: str) -> list[str]:
    for prefix in prefixes.split(os.pathsep):
        with contextlib.suppress(OSError, ValueError):
            text = (Path(prefix) / "share" / package / "msg" / f"{name}.msg").read_text()
            return [line.split()[0] for line in text.splitlines() if line.strip()]
    return []
