"""A standard ROS parameter file, merged into a blueprint.

``/robot1/mapper: {ros__parameters: {resolution: 0.05}}``, nested namespaces, and the wildcards ``*`` (one name)
and ``**`` (any number of names). As in ROS, a later section of the file overrides an earlier one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dimos_ros.blueprint.blueprint import Blueprint
from dimos_ros.blueprint.entry import STANDARD_PARAMETERS, Entry
from dimos_ros.blueprint.located_yaml import Key, Located, read
from dimos_ros.exceptions import BlueprintError
from dimos_ros.naming.wording import listed, shortened, shown

PARAMETERS = "ros__parameters"


@dataclass(frozen=True)
class _Section:
    """Parameters for the nodes that match a name or pattern."""

    pattern: str
    line: int
    parameters: Located

    @property
    def is_exact(self) -> bool:
        return "*" not in self.pattern

    def matches(self, entry: Entry) -> bool:
        return _matches(self.pattern.split("/"), str(entry.key).split("/"))


def apply_params_file(blueprint: Blueprint, path: str) -> Blueprint:
    """Return the blueprint with a file's parameters; they override those that are set.

    A section with a full name must name an instance, which must declare all its parameters. A section with a
    wildcard sets each parameter on the matching instances that declare it. Raises BlueprintError with ``file:line``.
    """
    document = read(path, BlueprintError)
    entries = list(blueprint.entries)
    for section in _sections(document, ""):
        matched = [index for index, entry in enumerate(entries) if section.matches(entry)]
        if section.is_exact and not matched:
            known = listed((str(entry.key) for entry in entries), like=section.pattern)
            raise document.fault(
                f"there is no module /{shortened(section.pattern)} in the blueprint; it has {known}", section.line
            )
        for name, value in _flat(section.parameters, ""):
            takers = [i for i in matched if section.is_exact or _declares(entries[i], name)]
            if matched and not takers:
                declared = {n for i in matched for n in entries[i].module.interface().parameters}
                raise document.fault(
                    f"no module that matches /{shortened(section.pattern)} has a parameter {shown(str(name))}; they "
                    f"have {listed(declared, like=name)}",
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
    """Yield the sections of a file in order. Names may nest, as namespaces do."""
    what = f"/{shortened(above)}" if above else "a parameter file"
    for key, value in located.mapping(what).items():
        if key == PARAMETERS:
            if not above:
                raise located.fault(f"{PARAMETERS} must stand below a node's name, such as /robot1/mapper", key.line)
            yield _Section(above, key.line, value)
            continue
        name = key.strip("/")
        if not name:
            raise located.fault(f"{shown(str(key))} is not a node's name", key.line)
        full_name = f"{above}/{name}" if above else name
        if not isinstance(value.value, dict):
            raise value.fault(f"the parameters of /{shortened(full_name)} must stand below '{PARAMETERS}:'")
        yield from _sections(value, full_name)


def _flat(located: Located, above: str) -> Iterator[tuple[Key, Located]]:
    """Yield parameters by name; the name of a nested one has dots, as in ROS."""
    for key, value in located.mapping(f"{PARAMETERS} {shortened(above)}".rstrip()).items():
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
