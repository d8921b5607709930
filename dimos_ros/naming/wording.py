"""The wording of lists, counts and values in messages. What is long is cut here, and nowhere else."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any

LONGEST = 80
"""Characters of a value that an error shows."""

LONGEST_LIST = 500
"""Characters of a list that an error shows."""

MOST_BITS = 200
"""Python refuses to write integers of thousands of digits, so longer ones are described."""


def by_likeness(word: str, known: Iterable[str]) -> list[str]:
    """Return the names, each once: first those spelled most like ``word``, then the others in order."""
    names = sorted(set(known))
    close = difflib.get_close_matches(word[:LONGEST], names, n=3, cutoff=0.5)
    return close + [name for name in names if name not in close]


def nearest(word: str, known: Iterable[str]) -> str:
    """List all of ``known``, uncut: the nearest spellings of ``word`` first, then the others in order."""
    return ", ".join(by_likeness(word, known))


def listed(names: Iterable[str], *, like: str | None = None, limit: int = LONGEST_LIST) -> str:
    """List names for an error; "none" if there are none.

    ``like`` puts the names spelled most like it first; without it they keep their order. A name that would go
    over ``limit`` characters is left out with all that follow, and their number is given.
    """
    left = list(names) if like is None else by_likeness(like, names)
    if not left:
        return "none"
    text = shortened(left[0], limit)
    for position, name in enumerate(left[1:], start=1):
        if len(text) + len(name) + 2 > limit:
            return f"{text} and {len(left) - position} more"
        text += f", {name}"
    return text


def count(number: int, what: str) -> str:
    """Return a number of things in words: ``1 module``, ``2 modules``."""
    return f"{number} {what}{'' if number == 1 else 's'}"


def shown(value: Any, limit: int = LONGEST) -> str:
    """Return the ``repr`` of a value for an error, cut after ``limit`` characters."""
    if isinstance(value, int) and value.bit_length() > MOST_BITS:
        return f"an integer of {value.bit_length()} bits"
    text = repr(value)
    return text if len(text) <= limit else f"{text[:limit]}…"


def shortened(text: str, limit: int = LONGEST) -> str:
    """Return text for an error. If it is longer than ``limit`` characters, it is cut and its length is given."""
    return text if len(text) <= limit else f"{text[:limit]}… ({len(text)} characters)"
