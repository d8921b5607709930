"""A standard ROS parameter file, merged into a blueprint.

``/robot1/mapper: {ros__parameters: {resolution: 0.05}}``, nested namespaces, and the wildcards ``*`` (one name)
and ``**`` (any number of them). As in ROS, what comes later in the file goes over what came before.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dimos_ros.blueprint.blueprint import Blueprint
from dimos_ros.blueprint.entry import STANDARD_PARAMETERS, Entry
from dimos_ros.blueprint.located_yaml import Key, Located, read
from dimos_ros.exceptions import BlueprintError
from dimos_ros.naming.wording import nearest

PARAMETERS = "ros__parameters"


@dataclass(frozen=True)
class _Section:
    """Parameters for the nodes that a name or pattern means."""

    pattern: str
    line: int
    parameters: Located

    @property
    def is_exact(self) -> bool:
        return "*" not in self.pattern

    def matches(self, entry: Entry) -> bool:
        return _matches(self.pattern.split("/"), str(entry.key).split("/"))


def apply_params_file(blueprint: Blueprint, path: str) -> Blueprint:
    """The blueprint with a file's parameters set, over those that it has.

    A full name has to be that of an instance, and its parameters declared. A wildcard sets each parameter on
    those of the instances it matches that declare it. Raises BlueprintError with ``file:line``.
    """
    document = read(path, BlueprintError)
    entries = list(blueprint.entries)
    for section in _sections(document, ""):
        matched = [index for index, entry in enumerate(entries) if section.matches(entry)]
        if section.is_exact and not matched:
            known = nearest(section.pattern[:80], (str(entry.key) for entry in entries))
            raise document.fault(
                f"there is no module /{section.pattern:.80} here; there are {known[:500] or 'none'}", section.line
            )
        for name, value in _flat(section.parameters, ""):
            takers = [i for i in matched if section.is_exact or _declares(entries[i], name)]
            if matched and not takers:
                declared = {n for i in matched for n in entries[i].module.interface().parameters}
                raise document.fault(
                    f"no module that /{section.pattern:.80} means has a parameter {str(name)!r:.80}; they have "
                    f"{nearest(name[:80], declared)[:500]}",
                    name.line,
                )
            for index in takers:
                with document.blamed(name.line):
                    entries[index] = entries[index].with_parameters({str(name): value.plain()})
    return Blueprint(tuple(entries))


def _declares(entry: Entry, name: str) -> bool:
    interface = entry.module.interface()
    return name in interface.parameters or name in interface.references or name in STANDARD_PARAMETERS


def _sections(located: Located, above: str) -> Iterator[_Section]:
    """The sections of a file in order; names nest as namespaces."""
    what = f"/{above:.80}" if above else "a parameter file"
    for key, value in located.mapping(what).items():
        if key == PARAMETERS:
            if not above:
                raise located.fault(f"{PARAMETERS} stands below a node's name, such as /robot1/mapper", key.line)
            yield _Section(above, key.line, value)
            continue
        name = key.strip("/")
        if not name:
            raise located.fault(f"{str(key)!r} is no node's name", key.line)
        if not isinstance(value.value, dict):
            raise value.fault(
                f"/{above}{'/' if above else ''}{name:.80} has parameters below '{PARAMETERS}:', not here"
            )
        yield from _sections(value, f"{above}/{name}" if above else name)


def _flat(located: Located, above: str) -> Iterator[tuple[Key, Located]]:
    """Parameters by name; groups of them are joined by dots, as in ROS."""
    for key, value in located.mapping(f"{PARAMETERS}{f' {above:.80}' if above else ''}").items():
        name = Key(f"{above}.{key}" if above else str(key))
        name.line = key.line
        if isinstance(value.value, dict):
            yield from _flat(value, name)
        else:
            yield name, value


def _matches(pattern: Sequence[str], name: Sequence[str]) -> bool:
    if not pattern:
        return not name
    if pattern[0] == "**":
        return any(_matches(pattern[1:], name[start:]) for start in range(len(name) + 1))
    return bool(name) and pattern[0] in ("*", name[0]) and _matches(pattern[1:], name[1:])
