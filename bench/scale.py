"""The number of repetitions of a benchmark."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Scale:
    """A choice of repetitions: ``full`` to publish figures, ``quick`` for a look, ``tiny`` to see that all works."""

    name: str

    def pick(self, full: T, quick: T, tiny: T) -> T:
        return {"full": full, "quick": quick, "tiny": tiny}[self.name]


FULL, QUICK, TINY = Scale("full"), Scale("quick"), Scale("tiny")
