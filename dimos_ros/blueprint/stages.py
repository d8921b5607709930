"""The order of starting: a module starts after the modules that it refers to."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from typing import TypeVar

K = TypeVar("K", bound=Hashable)


def stages(needs: Mapping[K, Iterable[K]]) -> dict[K, int]:
    """Return the stage of each key: 0 starts first, and a key comes one stage after the last key that it needs.

    Keys that need each other in a circle share a stage. A need that is not a key is running already and is ignored.
    """
    stage_of: dict[K, int] = {}
    for group in _circles(needs):
        members = set(group)
        outside = [stage_of[need] for key in group for need in needs[key] if need in needs and need not in members]
        stage_of.update(dict.fromkeys(group, max(outside, default=-1) + 1))
    return stage_of


def _circles(needs: Mapping[K, Iterable[K]]) -> list[list[K]]:
    """Return the strongly connected groups, needed ones first (Tarjan's algorithm, without recursion)."""
    number: dict[K, int] = {}
    lowest: dict[K, int] = {}
    open_keys: list[K] = []
    is_open: set[K] = set()
    groups: list[list[K]] = []
    for start in needs:
        if start in number:
            continue
        work = [(start, iter([need for need in needs[start] if need in needs]))]
        number[start] = lowest[start] = len(number)
        open_keys.append(start)
        is_open.add(start)
        while work:
            key, remaining = work[-1]
            need = next(remaining, None)
            if need is not None:
                if need not in number:
                    number[need] = lowest[need] = len(number)
                    open_keys.append(need)
                    is_open.add(need)
                    work.append((need, iter([further for further in needs[need] if further in needs])))
                elif need in is_open:
                    lowest[key] = min(lowest[key], number[need])
                continue
            work.pop()
            if work:
                lowest[work[-1][0]] = min(lowest[work[-1][0]], lowest[key])
            if lowest[key] == number[key]:
                group: list[K] = []
                while not group or group[-1] != key:
                    group.append(open_keys.pop())
                    is_open.discard(group[-1])
                groups.append(group)
    return groups
