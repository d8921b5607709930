"""How much is measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Scale:
    """``full`` for figures to publish, ``quick`` for a look, ``tiny`` to see that everything works."""

    name: str

    def pick(self, full: T, quick: T, tiny: T) -> T:
        return {"full": full, "quick": quick, "tiny": tiny}[self.name]


FULL, QUICK, TINY = Scale("full"), Scale("quick"), Scale("tiny")
