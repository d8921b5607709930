"""The benchmarks, by name."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Callable, Sequence

from bench.figures import Result
from bench.scale import Scale

NAMES = (
    "boot",
    "restart",
    "call",
    "stream",
    "image",
    "numpy_image",
    "memory",
    "idle",
    "shutdown",
    "upstream",
)


def select(names: Sequence[str]) -> list[str]:
    """Return the named benchmarks in their order, or all if no name is given. Raises LookupError."""
    for name in names:
        if name not in NAMES:
            near = difflib.get_close_matches(name, NAMES, len(NAMES), 0.0)
            raise LookupError(f"no benchmark {name!r}; there are {', '.join(near)}")
    return [name for name in NAMES if not names or name in names]


def benchmark(name: str) -> Callable[[Scale], Result]:
    """Return the function that runs a benchmark."""
    run: Callable[[Scale], Result] = importlib.import_module(f"bench.{name}").run
    return run
