"""A module's interface as data: what its class body declares, without ROS and without the class.

A blueprint composes interfaces; a module makes endpoints from its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

from dimos_ros.declaration.annotations import is_protocol
from dimos_ros.declaration.qos import QoS
from dimos_ros.exceptions import BlueprintError
from dimos_ros.naming.wording import shown

Direction = Literal["in", "out"]

REQUIRED: Any = type("Required", (), {"__repr__": lambda self: "REQUIRED"})()
"""Default of a parameter that must be set."""

WIDEST = 40
"""Characters of the column of names; a longer name or signature sticks out instead of widening it."""


@dataclass(frozen=True)
class Stream:
    """An ``In`` or ``Out``: a relative topic named after the attribute.

    ``message_type`` is the name of the ROS type, such as ``sensor_msgs/msg/LaserScan``.
    """

    name: str
    direction: Direction
    message_type: str
    qos: QoS


@dataclass(frozen=True)
class Parameter:
    """A ROS parameter.

    ``kind`` is ``bool``, ``int``, ``float``, ``str``, ``bytes`` or a list of one of the first four (``float[]``).
    ``minimum``, ``maximum`` and ``step`` bound numbers.
    """

    name: str
    kind: str
    default: Any = REQUIRED
    description: str = ""
    minimum: float | None = None
    maximum: float | None = None
    step: float | None = None
    choices: tuple[Any, ...] = ()
    optional: bool = False
    read_only: bool = False

    def check(self, value: Any, owner: str) -> Any:
        """Return ``value`` in this parameter's type; an int becomes a float if the kind is float.

        ``owner`` names the instance in the error. Raises BlueprintError if the value does not fit.
        """
        if value is None and self.optional:
            return None
        converted = _converted(self.kind, value)
        if converted is None:
            raise BlueprintError(
                f"{owner}: parameter {self.name!r} takes {self.kind}, not {_kind_of(value)} {shown(value)}"
            )
        for number in converted if isinstance(converted, list) else [converted]:
            self._check_bounds(number, owner)
        return converted

    def _check_bounds(self, value: Any, owner: str) -> None:
        if self.choices and value not in self.choices:
            raise BlueprintError(
                f"{owner}: parameter {self.name!r} is one of {', '.join(map(repr, self.choices))}, not {shown(value)}"
            )
        low, high = self.minimum, self.maximum
        if (low is not None and not value >= low) or (high is not None and not value <= high):
            span = f"{'-∞' if low is None else low} to {'∞' if high is None else high}"
            raise BlueprintError(f"{owner}: parameter {self.name!r} takes {span}, not {shown(value)}")


@dataclass(frozen=True)
class Reference:
    """A handle to another module's calls. ``target`` is a Module subclass or a Protocol."""

    name: str
    target: type
    optional: bool

    @property
    def is_protocol(self) -> bool:
        return is_protocol(self.target)


@dataclass(frozen=True)
class Call:
    """A method that other modules may call.

    ``signature`` is its text, ``summary`` the first line of its docstring. ``service_type`` is the name of the ROS
    service type that it is served as, if any.
    """

    name: str
    signature: str
    summary: str = ""
    service_type: str | None = None


@dataclass(frozen=True)
class Interface:
    """All that a module class declares; each mapping keeps the order of declaration."""

    streams: Mapping[str, Stream] = field(default_factory=dict)
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    references: Mapping[str, Reference] = field(default_factory=dict)
    calls: Mapping[str, Call] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("streams", "parameters", "references", "calls"):
            object.__setattr__(self, name, MappingProxyType(dict(getattr(self, name))))

    def as_text(self, title: str, summary: str = "") -> str:
        """Return the interface as text for people, one line for each declaration."""
        lines = [title]
        if summary:
            lines.append(f"  {summary}")
        rows: list[tuple[str, str, str]] = []
        for stream in self.streams.values():
            rows.append((stream.direction, stream.name, f"{stream.message_type} ({stream.qos})"))
        for parameter in self.parameters.values():
            rows.append(("parameter", parameter.name, _parameter_text(parameter)))
        for reference in self.references.values():
            optional = " or none" if reference.optional else ""
            rows.append(("reference", reference.name, f"{reference.target.__name__}{optional}"))
        for call in self.calls.values():
            served = f" as {call.service_type}" if call.service_type else ""
            tail = f": {call.summary}" if call.summary else ""
            rows.append(("call", f"{call.name}{call.signature}", f"{served}{tail}".strip(" :")))
        width = max((len(name) for _, name, _ in rows if len(name) <= WIDEST), default=0)
        lines += [f"  {kind:<9} {name:<{width}}  {text}".rstrip() for kind, name, text in rows]
        return "\n".join(lines)


def _parameter_text(parameter: Parameter) -> str:
    default = "required" if parameter.default is REQUIRED else f"= {parameter.default!r}"
    parts = [parameter.kind, default]
    if parameter.minimum is not None or parameter.maximum is not None:
        low = "" if parameter.minimum is None else parameter.minimum
        high = "" if parameter.maximum is None else parameter.maximum
        parts.append(f"[{low}..{high}]")
    if parameter.choices:
        parts.append("one of " + ", ".join(map(repr, parameter.choices)))
    if parameter.read_only:
        parts.append("read-only")
    if parameter.description:
        parts.append(f"# {parameter.description}")
    return " ".join(parts)


def _kind_of(value: Any) -> str:
    return "nothing" if value is None else type(value).__name__


def _converted(kind: str, value: Any) -> Any:
    """Return ``value`` in ``kind``, or None if it is of another kind (no kind has None as a value)."""
    if kind.endswith("[]"):
        if isinstance(value, (str, bytes, Mapping)) or not isinstance(value, Iterable):
            return None
        items = [_converted(kind[:-2], item) for item in value]
        return None if any(item is None for item in items) else items
    if hasattr(value, "item") and not isinstance(value, (bool, int, float, str, bytes)):
        value = value.item()
    if kind == "float" and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    wanted = {"bool": bool, "int": int, "float": float, "str": str, "bytes": bytes}[kind]
    if isinstance(value, bool) and wanted is not bool:
        return None
    if wanted is int and isinstance(value, int) and not -(2**63) <= value < 2**63:
        return None
    return wanted(value) if isinstance(value, wanted) else None
