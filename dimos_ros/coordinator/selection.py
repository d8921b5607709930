"""The selection of running instances by namespace, class and node name.

All verbs, services and methods of the coordinator use these rules. Where several instances fit, they never guess.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol, TypeVar

from dimos_ros.exceptions import AmbiguousInstanceError, InstanceNotFoundError
from dimos_ros.naming.instance_key import InstanceKey
from dimos_ros.naming.names import normalize_namespace
from dimos_ros.naming.wording import by_likeness, listed, shortened, shown

LONGEST_LIST = 300
"""Characters of one list in an error. An error may have several lists."""


class Selectable(Protocol):
    """Instance as selection sees it, such as :class:`~dimos_ros.blueprint.instance.Instance`."""

    @property
    def key(self) -> InstanceKey: ...

    @property
    def class_name(self) -> str: ...

    @property
    def bases(self) -> tuple[str, ...]:
        """Import paths of the instance's class and of its base classes that are modules."""


S = TypeVar("S", bound=Selectable)


def select(running: Iterable[S], namespace: str | None, class_name: str = "", node_name: str = "") -> S:
    """Return the one instance that fits.

    The arguments and errors are those of :func:`fitting`. Also raises AmbiguousInstanceError, which lists the
    candidates, if several instances fit.
    """
    found = fitting(running, namespace, class_name, node_name)
    if len(found) > 1:
        several = len({one.key.namespace for one in found}) > 1
        remedy = "give the namespace" if several else "give the node name"
        candidates = _listed(str(one.key) for one in found)
        raise AmbiguousInstanceError(f"several fit {_wanted(class_name, node_name)}: {candidates}; {remedy}")
    return found[0]


def fitting(running: Iterable[S], namespace: str | None, class_name: str = "", node_name: str = "") -> list[S]:
    """Return the instances that fit, at least one, sorted by key.

    ``class_name`` is the class (``Mapper``), the import path of the class or of a base (``my_pkg.mapping:Mapper``)
    or, if no class that runs has that name, a node name. As a ``namespace``, ``robot1``, ``/robot1`` and ``/robot1/``
    are the same, ``/`` is the global one, and ``""`` or None is any. A class or a node name has to be given.
    Raises InvalidNameError. Raises InstanceNotFoundError, which lists running instances, the nearest spelling first.
    """
    everything = sorted(running, key=lambda one: one.key)
    wanted = _wanted(class_name, node_name)
    if not (class_name or node_name):
        if namespace:
            _, everything = select_namespace(everything, namespace)
        raise InstanceNotFoundError(f"neither a class nor a node name was given; {_what_runs(everything)}")
    found = [one for one in everything if not class_name or class_name in (one.class_name, *one.bases)]
    if not found and not node_name:
        found = [one for one in everything if one.key.name == class_name]
    if not found:
        raise InstanceNotFoundError(_unknown(wanted, class_name, node_name, everything))
    if namespace:
        normal = normalize_namespace(namespace)
        there = [one for one in found if one.key.namespace == normal]
        if not there:
            raise InstanceNotFoundError(_absent(wanted, normal, found, everything))
        found = there
    named = [one for one in found if not node_name or one.key.name == node_name]
    if not named:
        raise InstanceNotFoundError(f"no {wanted} runs; there are {_by_name(node_name, found)}")
    return named


def select_namespace(running: Iterable[S], namespace: str | None) -> tuple[str, list[S]]:
    """Return a namespace in its normal form, and the instances in it and below it, sorted by key.

    ``""`` or None selects the only namespace of the fleet. Raises InvalidNameError, InstanceNotFoundError,
    AmbiguousInstanceError.
    """
    everything = sorted(running, key=lambda one: one.key)
    namespaces = sorted({one.key.namespace for one in everything})
    if not namespace:
        if len(namespaces) > 1:
            raise AmbiguousInstanceError(f"several namespaces run: {_written(namespaces)}; give one")
        if not namespaces:
            raise InstanceNotFoundError("nothing runs")
        normal = namespaces[0]
    else:
        normal = normalize_namespace(namespace)
    found = [one for one in everything if is_within(one.key.namespace, normal)]
    if not found:
        raise InstanceNotFoundError(
            f"nothing runs under {shown(normal)}; namespaces that do: {_near(normal, namespaces, _slash)}"
        )
    return normal, found


def is_within(namespace: str, outer: str) -> bool:
    """Tell whether a namespace equals ``outer`` or is below it; both in the normal form."""
    return not outer or namespace == outer or namespace.startswith(f"{outer}/")


def as_word(text: str) -> str:
    """Return text of a request for an error or a log. Long text is cut; text with spaces is quoted."""
    return shortened(text) if text.isprintable() and " " not in text else shown(text)


def _wanted(class_name: str, node_name: str) -> str:
    kind = as_word(class_name) if class_name else "instance"
    return f"{kind} named {shown(node_name)}" if node_name else kind


def _unknown(wanted: str, class_name: str, node_name: str, everything: Sequence[Selectable]) -> str:
    if ":" in class_name and everything:
        return f"no {wanted} runs; import paths that do: {_near(class_name, (one.bases[0] for one in everything))}"
    text = f"no {wanted} runs; classes that do: {_near(class_name, (one.class_name for one in everything))}"
    if node_name or not everything:
        return text
    return f"{text}; node names: {_near(class_name, (one.key.name for one in everything))}"


def _absent(wanted: str, namespace: str, found: Sequence[Selectable], everything: Sequence[Selectable]) -> str:
    runs = f"no {wanted} under {shown(_slash(namespace))}; it runs under "
    runs += _near(namespace, (one.key.namespace for one in found), _slash)
    there = {one.class_name for one in everything if one.key.namespace == namespace}
    if there:
        return f"{runs}; under {_slash(namespace)!r} there are {_listed(sorted(there))}"
    known = {one.key.namespace for one in everything} - {one.key.namespace for one in found}
    return f"{runs}; other namespaces: {_near(namespace, known, _slash)}" if known else runs


def _slash(namespace: str) -> str:
    return namespace or "/"


def _written(namespaces: Sequence[str]) -> str:
    return _listed(_slash(namespace) for namespace in namespaces)


def _near(word: str, known: Iterable[str], written: Callable[[str], str] = str) -> str:
    return _listed(written(name) for name in by_likeness(word, known))


def _by_name(node_name: str, found: Sequence[Selectable]) -> str:
    order = by_likeness(node_name, (one.key.name for one in found))
    return _listed(str(one.key) for one in sorted(found, key=lambda one: order.index(one.key.name)))


def _what_runs(everything: Sequence[Selectable]) -> str:
    return f"what runs: {_listed(f'{one.key} ({one.class_name})' for one in everything) if everything else 'nothing'}"


def _listed(names: Iterable[str]) -> str:
    return listed(names, limit=LONGEST_LIST)
