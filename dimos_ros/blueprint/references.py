"""The search for a reference's target: in the module's namespace, then in those around it, the global one last."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from dimos_ros.blueprint.entry import Entry
from dimos_ros.declaration.annotations import is_protocol, protocol_methods
from dimos_ros.declaration.declared import Declared
from dimos_ros.declaration.interface import Reference
from dimos_ros.exceptions import BlueprintError
from dimos_ros.naming.import_path import path_of
from dimos_ros.naming.instance_key import InstanceKey
from dimos_ros.naming.names import enclosing, join
from dimos_ros.naming.wording import listed, shown


@dataclass(frozen=True)
class Candidate:
    """An instance that can be a reference's target. ``bases`` are import paths, its own class first."""

    key: InstanceKey
    class_name: str
    bases: tuple[str, ...]
    calls: tuple[str, ...]
    enabled: bool = True


class Neighbourhood:
    """All instances by namespace, for references to search."""

    def __init__(self, candidates: Iterable[Candidate]) -> None:
        self._by_namespace: dict[str, dict[str, Candidate]] = {}
        for candidate in candidates:
            self._by_namespace.setdefault(candidate.key.namespace, {})[candidate.key.name] = candidate

    def resolve(self, entry: Entry, reference: Reference) -> InstanceKey | None:
        """Return the target of a reference; None if it is optional and no instance fits.

        Raises BlueprintError if no instance fits, or several equally well. A target that was chosen by hand must exist,
        be within reach and be of the right class.
        """
        where = f"{entry}: reference {reference.name!r}"
        chosen = entry.references.get(reference.name) if reference.name in entry.references else reference.target
        if chosen is None:
            return None
        if isinstance(chosen, str):
            return self._named(entry, reference, chosen, where).key
        for namespace in enclosing(entry.key.namespace):
            fitting = [
                candidate
                for candidate in self._by_namespace.get(namespace, {}).values()
                if candidate.enabled
                and candidate.key != entry.key
                and fits(candidate, chosen)
                and fits(candidate, reference.target)
            ]
            if len(fitting) > 1:
                names = sorted(str(candidate.key) for candidate in fitting)
                raise BlueprintError(
                    f"{where} fits {listed(names)}; choose one: .remappings([({entry.module.__name__}, "
                    f"{reference.name!r}, {names[0].rpartition('/')[2]!r})])"
                )
            if fitting:
                return fitting[0].key
        if reference.optional and chosen is reference.target:
            return None
        raise BlueprintError(f"{where} needs {_wanted(chosen)}, and {self._why_none(entry, chosen)}")

    def _named(self, entry: Entry, reference: Reference, name: str, where: str) -> Candidate:
        around = enclosing(entry.key.namespace)
        paths = [name[1:]] if name.startswith("/") else [join(namespace, name) for namespace in around]
        for path in paths:
            namespace, _, node_name = path.rpartition("/")
            found = self._by_namespace.get(namespace, {}).get(node_name)
            if found is None:
                continue
            if namespace not in around:
                raise BlueprintError(f"{where} cannot be {found.key}: {_reach(entry)}")
            if not found.enabled:
                raise BlueprintError(f"{where} cannot be {found.key}, which is disabled")
            if not fits(found, reference.target):
                raise BlueprintError(
                    f"{where} cannot be {found.key}: {found.class_name} is not {_wanted(reference.target)}"
                    f"{_missing(found, reference.target)}"
                )
            return found
        known = [
            str(c.key)
            for space in around
            for c in self._by_namespace.get(space, {}).values()
            if c.enabled and c.key != entry.key and fits(c, reference.target)
        ]
        instead = f"these fit: {listed(known, like=name)}" if known else self._why_none(entry, reference.target)
        raise BlueprintError(f"{where} names {shown(name)}, which does not exist; {instead}")

    def _why_none(self, entry: Entry, target: type) -> str:
        """Return why no instance fits and what would help, as the end of an error."""
        fitting = [
            candidate
            for space in self._by_namespace.values()
            for candidate in space.values()
            if candidate.key != entry.key and fits(candidate, target)
        ]
        around = enclosing(entry.key.namespace)
        for candidate in fitting:
            if not candidate.enabled and candidate.key.namespace in around:
                return f"{candidate.key}, which fits, is disabled; annotate the reference '… | None' to run without it"
        spaces = ", ".join(space or "the global namespace" for space in around)
        advice = f"add one to the blueprint, or annotate the reference '{target.__name__} | None' to run without it"
        elsewhere = sorted(str(candidate.key) for candidate in fitting if candidate.enabled)
        if elsewhere:
            more = f" and {len(elsewhere) - 3} more" if len(elsewhere) > 3 else ""
            there = f"{', '.join(elsewhere[:3])}{more} cannot be reached: {_reach(entry)}"
            return f"there is none in {spaces}; {there}; {advice}"
        return f"there is none in {spaces}; {advice}"


def fits(candidate: Candidate, target: type) -> bool:
    """Return whether an instance fits a reference's annotation.

    It fits a class if it is of that class or a subclass, and a Protocol if its calls include the methods.
    """
    if is_protocol(target):
        return set(protocol_methods(target)) <= set(candidate.calls)
    is_any = issubclass(target, Declared) and target._is_base
    return is_any or path_of(target) in candidate.bases


def _wanted(target: type) -> str:
    if not is_protocol(target):
        return f"a {target.__name__}"
    return f"a {target.__name__} (a module with {', '.join(sorted(protocol_methods(target))) or 'any calls'})"


def _missing(candidate: Candidate, target: type) -> str:
    if not is_protocol(target):
        return ""
    return f"; it lacks {', '.join(sorted(set(protocol_methods(target)) - set(candidate.calls)))}"


def _reach(entry: Entry) -> str:
    namespace = entry.key.namespace
    return (
        f"a module in {namespace} can refer to modules there, in a namespace around it or in the global one"
        if namespace
        else "a module in the global namespace can refer only to modules there"
    )
