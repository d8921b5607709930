"""Which running instance is meant: by namespace, class and node name, never by luck."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from dimos_ros.exceptions import AmbiguousInstanceError, InstanceNotFoundError
from dimos_ros.naming.instance_key import InstanceKey
from dimos_ros.naming.names import normalize_namespace
from dimos_ros.naming.wording import nearest


@dataclass(frozen=True)
class Candidate:
    """What can be selected: an instance's identity, its class's name, and the import paths of the class and of the
    modules that it is derived from."""

    key: InstanceKey
    class_name: str
    bases: tuple[str, ...]

    def is_of(self, asked: str) -> bool:
        """Whether ``asked`` names the class, as ``Mapper``, or the class or a base as ``my_pkg.mapping:Mapper``."""
        return asked == self.class_name or asked in self.bases


def select(
    running: Iterable[Candidate], namespace: str | None, class_name: str = "", node_name: str = ""
) -> InstanceKey:
    """The one instance that is meant.

    ``namespace``: ``robot1``, ``/robot1`` and ``/robot1/`` are one, ``/`` is the global one, and ``""``
    or None means whichever there is only one in. At least one of class and node name is given. Raises
    InvalidNameError, InstanceNotFoundError (listing what runs, the nearest spelling first),
    AmbiguousInstanceError (listing the candidates).
    """
    all_running = sorted(running, key=lambda candidate: candidate.key)
    if not (class_name or node_name):
        raise InstanceNotFoundError(f"neither a class nor a node name was given; {_which_run(all_running, 'nothing')}")
    wanted = f"{_short(class_name or 'instance')}{f' named {_short(node_name)!r}' if node_name else ''}"
    fitting = [c for c in all_running if not class_name or c.is_of(class_name)]
    if not fitting:
        raise InstanceNotFoundError(
            f"no {wanted} runs; classes that do: {_near(class_name, (c.class_name for c in all_running))}"
        )
    if namespace:
        normal = normalize_namespace(namespace)
        there = [c for c in fitting if c.key.namespace == normal]
        if not there:
            raise InstanceNotFoundError(_absent(wanted, normal, fitting, all_running))
        fitting = there
    named = [c for c in fitting if not node_name or c.key.name == node_name]
    if not named:
        raise InstanceNotFoundError(f"no {wanted} runs; there are {_listed(node_name, fitting)}")
    if len(named) > 1:
        several = len({c.key.namespace for c in named}) > 1
        help_ = "give the namespace" if several else "give the node name"
        raise AmbiguousInstanceError(f"several fit {wanted}: {', '.join(str(c.key) for c in named)}; {help_}")
    return named[0].key


def select_namespace(running: Iterable[Candidate], namespace: str | None) -> tuple[str, list[InstanceKey]]:
    """A namespace and the instances in it and below it.

    ``""`` or None means the only one that there is. Raises InvalidNameError, InstanceNotFoundError,
    AmbiguousInstanceError.
    """
    all_running = sorted(running, key=lambda candidate: candidate.key)
    namespaces = sorted({c.key.namespace for c in all_running})
    if not namespace:
        if len(namespaces) > 1:
            raise AmbiguousInstanceError(f"several namespaces run: {_written(namespaces)}; give one")
        if not namespaces:
            raise InstanceNotFoundError("nothing runs")
        normal = namespaces[0]
    else:
        normal = normalize_namespace(namespace)
    keys = [c.key for c in all_running if is_within(c.key.namespace, normal)]
    if not keys:
        raise InstanceNotFoundError(
            f"nothing runs under {_short(normal)!r}; namespaces that do: {_near(normal, namespaces, _slash)}"
        )
    return normal, keys


def is_within(namespace: str, outer: str) -> bool:
    """Whether a normalized namespace is another one or below it."""
    return not outer or namespace == outer or namespace.startswith(f"{outer}/")


def _absent(wanted: str, namespace: str, fitting: Sequence[Candidate], all_running: Sequence[Candidate]) -> str:
    there = [c.class_name for c in all_running if c.key.namespace == namespace]
    runs = f"no {wanted} under {_slash(_short(namespace))!r}; it runs under "
    runs += _near(namespace, (c.key.namespace for c in fitting), _slash)
    if there:
        return f"{runs}; under {_slash(namespace)!r} there are {', '.join(sorted(set(there)))}"
    known = {c.key.namespace for c in all_running} - {c.key.namespace for c in fitting}
    return f"{runs}; other namespaces: {_near(namespace, known, _slash)}" if known else runs


def _slash(namespace: str) -> str:
    return namespace or "/"


def _written(namespaces: Iterable[str]) -> str:
    return ", ".join(map(_slash, namespaces))


def _near(word: str, known: Iterable[str], shown: Callable[[str], str] = str) -> str:
    names = nearest(word[:100], known).split(", ")
    return ", ".join(map(shown, names)) if any(names) or (names == [""] and "" in set(known)) else "none"


def _listed(node_name: str, candidates: Sequence[Candidate]) -> str:
    order = nearest(node_name[:100], (c.key.name for c in candidates)).split(", ")
    return ", ".join(str(c.key) for c in sorted(candidates, key=lambda c: order.index(c.key.name)))


def _which_run(candidates: Sequence[Candidate], nothing: str) -> str:
    shown = ", ".join(f"{c.key} ({c.class_name})" for c in candidates[:20])
    return f"what runs: {shown or nothing}"


def _short(text: str, limit: int = 80) -> str:
    return text if len(text) <= limit else f"{text[:limit]}… ({len(text)} characters)"
