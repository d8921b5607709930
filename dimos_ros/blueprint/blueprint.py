"""``Blueprint``: an immutable composition of modules, and ``autoconnect``, which joins them.

Streams of one name in one namespace share a topic. ``.namespace()`` puts a whole blueprint into a namespace.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, TypeAlias

from dimos_ros.blueprint.class_path import check_module_class
from dimos_ros.blueprint.entry import Entry, ReferenceChoice
from dimos_ros.declaration.declared import Declared
from dimos_ros.exceptions import BlueprintError, InvalidNameError
from dimos_ros.loading.values import FrozenMap
from dimos_ros.naming.instance_key import InstanceKey
from dimos_ros.naming.names import check_prefix, check_topic, node_name_of
from dimos_ros.naming.wording import listed, shown

Selector: TypeAlias = type[Declared] | str
"""A choice of modules in a blueprint: a class (and its subclasses), a node name, or a path like ``robot1/mapper``."""

Remapping: TypeAlias = tuple[Selector, str, ReferenceChoice]


@dataclass(frozen=True, repr=False)
class Blueprint:
    """A composition of modules with their wiring. It cannot change: every method returns a new blueprint.

    ``SomeModule.blueprint()`` and :func:`autoconnect` make one.
    """

    entries: tuple[Entry, ...] = ()

    def __repr__(self) -> str:
        names = [f"{entry}{'' if entry.enabled else ' disabled'}" for entry in self.entries[:20]]
        more = f", and {len(self.entries) - 20} more" if len(self.entries) > 20 else ""
        return f"<Blueprint: {', '.join(names) or 'empty'}{more}>"

    def __len__(self) -> int:
        return len(self.entries)

    def __iter__(self) -> Iterator[Entry]:
        return iter(self.entries)

    def __getitem__(self, name: str) -> Entry:
        """Return the entry of ``mapper`` or ``robot1/mapper``. Raises BlueprintError if there is none, or several."""
        found = self.select(name)
        if len(found) > 1:
            raise BlueprintError(f"{shown(name)} could be any of {listed(str(entry.key) for entry in found)}")
        return found[0]

    def namespace(self, prefix: str, expose: Iterable[str] = ()) -> Blueprint:
        """Return the blueprint under a namespace, with nodes, topics and references of its own.

        Topics in ``expose``, written without the prefix, keep their names, so that data crosses the namespace on
        purpose. Absolute topics always keep theirs. Raises InvalidNameError if ROS refuses the prefix or a name
        becomes too long, BlueprintError if ``expose`` names a topic that the blueprint does not have.
        """
        prefix = check_prefix(prefix)
        exposed = self._exposed(expose)
        return Blueprint(tuple(entry.below(prefix, exposed) for entry in self.entries))

    def remappings(self, remappings: Iterable[Remapping]) -> Blueprint:
        """Return the blueprint with streams moved to other topics and targets chosen for references.

        A remapping is ``(module, stream, topic)`` or ``(module, reference, instance)``. The topic is absolute or
        relative to the module's namespace; the instance is given by name or class. Raises BlueprintError for a
        remapping that matches nothing.
        """
        if isinstance(remappings, (str, tuple)):
            raise BlueprintError(
                f".remappings() takes a list: .remappings([(Mapper, 'scan', 'laser')]), not {shown(remappings)}"
            )
        result = self
        for remapping in remappings:
            if not isinstance(remapping, (tuple, list)) or len(remapping) != 3:
                raise BlueprintError(f"a remapping must be (module, old name, new name), not {shown(remapping)}")
            selector, old, new = remapping
            result = result._changed(selector, functools.partial(_remapped, old=old, new=new))
        return result

    def with_parameters(self, module: Selector, /, **parameters: Any) -> Blueprint:
        """Return the blueprint with parameters of one or more of its modules set.

        Raises BlueprintError for an unknown module or parameter, or a value that does not fit.
        """
        return self._changed(module, lambda entry: entry.with_parameters(parameters))

    def disabled(self, *modules: Selector) -> Blueprint:
        """Return the blueprint with modules left out of the plan. Raises BlueprintError for an unknown module."""
        return self._all_changed(modules, lambda entry: replace(entry, enabled=False))

    def dedicated(self, *modules: Selector) -> Blueprint:
        """Return the blueprint with a process for each of some modules. Raises BlueprintError for an unknown module."""
        return self._all_changed(modules, lambda entry: replace(entry, dedicated=True))

    def _all_changed(self, modules: tuple[Selector, ...], change: Callable[[Entry], Entry]) -> Blueprint:
        result = self
        for module in modules:
            result = result._changed(module, change)
        return result

    def _changed(self, selector: Selector, change: Callable[[Entry], Entry]) -> Blueprint:
        keys = {entry.key for entry in self.select(selector)}
        return Blueprint(tuple(change(entry) if entry.key in keys else entry for entry in self.entries))

    def __contains__(self, selector: object) -> bool:
        if isinstance(selector, str):
            return bool(self._named(selector))
        return any(isinstance(selector, type) and issubclass(entry.module, selector) for entry in self.entries)

    def select(self, selector: Selector) -> list[Entry]:
        """Return the entries of a class, node name, path or class name. Raises BlueprintError if there are none."""
        if isinstance(selector, str):
            found = self._named(selector)
        elif isinstance(selector, type) and issubclass(selector, Declared):
            found = [entry for entry in self.entries if issubclass(entry.module, selector)]
        else:
            raise BlueprintError(f"a module must be given as its class or its name, not as {shown(selector)}")
        if not found:
            asked = selector if isinstance(selector, str) else node_name_of(selector.__name__)
            written = shown(selector) if isinstance(selector, str) else selector.__name__
            names = listed((str(entry.key) for entry in self.entries), like=asked)
            raise BlueprintError(f"there is no module {written} in this blueprint; it has {names}")
        return found

    def _named(self, name: str) -> list[Entry]:
        path = name.strip("/")
        found = [entry for entry in self.entries if path in (entry.key.name, str(entry.key))]
        return found or [entry for entry in self.entries if entry.module.__name__ == path]

    def _exposed(self, expose: Iterable[str]) -> frozenset[str]:
        if isinstance(expose, (str, bytes)) or not isinstance(expose, Iterable):
            raise BlueprintError(f"expose takes a set of topics: expose={{{shown(expose)}}}")
        wanted = list(expose)
        if not wanted:
            return frozenset()
        topics = {topic for entry in self.entries for topic in entry.topics.values()}
        for topic in wanted:
            if isinstance(topic, str) and topic in topics and not topic.startswith("/"):
                continue
            raise BlueprintError(f"expose {shown(topic)} matches no stream{self._why_not_exposed(topic, topics)}")
        return frozenset(wanted)

    def _why_not_exposed(self, topic: Any, topics: set[str]) -> str:
        if not isinstance(topic, str):
            return ": a topic must be text"
        if topic in topics:
            return f": {topic!r} is absolute, and so outside of any namespace already"
        if topic.startswith("/") and topic[1:] in topics:
            return f"; write the topic without the namespace and its slash: {topic[1:]!r}"
        moved = [f"{e}'s is on {e.topics[topic]!r}" for e in self.entries if topic in e.topics]
        if moved:
            return f"'s topic: {listed(moved)}"
        relative = [t for t in topics if not t.startswith("/")]
        return f"; there are {listed(relative, like=topic) if relative else 'no topics'}"


def autoconnect(*blueprints: Blueprint, replace: bool = False) -> Blueprint:
    """Join blueprints; streams of one name in one namespace share a topic.

    One instance is kept for each namespace and name. A later one replaces an earlier one of the same class or of a
    base class. Raises BlueprintError if it would replace another class, unless ``replace`` allows it.
    """
    kept: dict[InstanceKey, Entry] = {}
    for blueprint in blueprints:
        if not isinstance(blueprint, Blueprint):
            raise BlueprintError(_no_blueprint(blueprint, "autoconnect"))
        for entry in blueprint.entries:
            earlier = kept.get(entry.key)
            if earlier is not None and not replace and not issubclass(entry.module, earlier.module):
                raise BlueprintError(
                    f"{entry.key} would be two modules, {earlier.module.__name__} and {entry.module.__name__}: give "
                    f"one another name, {entry.module.__name__}.blueprint(name=…), or replace the earlier one on "
                    "purpose with autoconnect(…, replace=True)"
                )
            kept[entry.key] = entry
    return Blueprint(tuple(kept.values()))


def of_module(
    module: type[Declared], name: str | None = None, parameters: Mapping[str, Any] = MappingProxyType({})
) -> Blueprint:
    """Return the blueprint of one instance, as ``Module.blueprint()`` does. Raises BlueprintError."""
    check_module_class(module)
    try:
        key = InstanceKey("", node_name_of(module.__name__) if name is None else name)
    except InvalidNameError as error:
        if name is not None:
            raise InvalidNameError(f"{module.__name__}.blueprint(name=…): {error}") from None
        raise InvalidNameError(f"{module.__name__} does not make a node name; pass one as name=…: {error}") from None
    streams = module.interface().streams
    for stream in streams:
        check_topic(stream, f"{key} ({module.__name__}): stream {stream!r}")
    topics: FrozenMap[str] = FrozenMap({stream: stream for stream in streams})
    entry = Entry(key, module, FrozenMap(), topics, FrozenMap(), dedicated=bool(module.dedicated))
    entry.check_lengths()
    return Blueprint((entry.with_parameters(parameters),))


def as_blueprint(
    given: Blueprint | type[Declared], name: str | None = None, parameters: Mapping[str, Any] = MappingProxyType({})
) -> Blueprint:
    """Return a blueprint itself, or the blueprint of a module class, which may override ``blueprint()``."""
    if isinstance(given, Blueprint):
        return given
    make = getattr(given, "blueprint", None)
    return of_module(given, name, parameters) if make is None else check_blueprint(make(name, **parameters), str(given))


def _remapped(entry: Entry, old: Any, new: Any) -> Entry:
    interface = entry.module.interface()
    if isinstance(old, str) and old in interface.streams:
        return entry.with_topic(old, new)
    if isinstance(old, str) and old in interface.references:
        return entry.with_reference(old, new)
    known = listed([*interface.streams, *interface.references], like=str(old))
    raise BlueprintError(f"{entry}: {shown(old)} is neither a stream nor a reference of it; it has {known}")


def _no_blueprint(found: Any, taker: str) -> str:
    if isinstance(found, type) and issubclass(found, Declared):
        return f"{taker} takes blueprints: {found.__name__}.blueprint(), not the class {found.__name__}"
    if isinstance(found, Iterable) and not isinstance(found, (str, bytes)):
        return f"{taker} takes blueprints one by one: {taker}(*blueprints)"
    return f"{taker} takes blueprints, not {shown(found)}"


def check_blueprint(found: Any, taker: str) -> Blueprint:
    """Return ``found`` if it is a Blueprint. Raises BlueprintError, which says what ``taker`` takes."""
    if not isinstance(found, Blueprint):
        raise BlueprintError(_no_blueprint(found, taker))
    return found
