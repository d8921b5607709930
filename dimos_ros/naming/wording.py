"""How messages word lists, counts and values."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any

LONGEST = 80
"""Characters of a value that an error shows."""


def nearest(word: str, known: Iterable[str]) -> str:
    """List ``known`` for an error: the nearest spellings of ``word`` first, then the others in order."""
    names = sorted(set(known))
    close = difflib.get_close_matches(word, names, n=3, cutoff=0.5)
    return ", ".join(close + [name for name in names if name not in close])


def count(number: int, what: str) -> str:
    """A number of things in words: ``1 module``, ``2 modules``."""
    return f"{number} {what}{'' if number == 1 else 's'}"


def shown(value: Any, limit: int = LONGEST) -> str:
    """The ``repr`` of a value for an error, cut after ``limit`` characters."""
    text = repr(value)
    return text if len(text) <= limit else f"{text[:limit]}…"


def shortened(text: str, limit: int = LONGEST) -> str:
    """Text for an error, cut after ``limit`` characters, with its whole length where it was cut."""
    return text if len(text) <= limit else f"{text[:limit]}… ({len(text)} characters)"
