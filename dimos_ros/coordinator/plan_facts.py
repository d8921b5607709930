"""What the engine wants to know of a plan before it acts."""

from __future__ import annotations

from collections.abc import Iterable

from dimos_ros.blueprint.plan import Instance
from dimos_ros.transport.message_size import carries_bytes


def sends_images(instance: Instance) -> bool:
    """Whether an instance publishes messages that its process needs a transport of its own for."""
    return any(carries_bytes(stream.message_type) for stream in instance.streams if stream.direction == "out")


def containers_of(plan: Iterable[Instance]) -> set[str]:
    """The containers that a plan needs."""
    return {instance.container for instance in plan}


def hold_seconds(plan: Iterable[Instance]) -> float:
    """How long the processes of a plan may be kept from getting to know each other while they start."""
    return 1.0 + 0.1 * len(containers_of(plan))


def count(number: int, what: str) -> str:
    """A number of things, in words."""
    return f"{number} {what}{'' if number == 1 else 's'}"
