"""``In`` and ``Out`` as a class body declares them. A module's instance has live ends in their place."""

from __future__ import annotations

from typing import Any, Generic, NoReturn, TypeVar

from dimos_ros.declaration.qos import QoS, as_qos

T = TypeVar("T")


class StreamEnd(Generic[T]):
    """The common part of ``In`` and ``Out``: the quality of service and, on a module, the topic."""

    def __init__(self, qos: QoS | str | int | None = None) -> None:
        """Declare a stream; ``qos`` is a QoS, a profile's name or a history depth. Raises DeclarationError."""
        self.qos = as_qos(qos)

    @property
    def topic(self) -> str:
        """The full topic name after remapping."""
        _not_on_a_class()


class Out(StreamEnd[T]):
    """A stream that the module publishes: ``map: Out[OccupancyGrid]``."""

    def publish(self, message: T) -> None:
        """Send ``message`` if the module is active; drop it otherwise, as any managed node's publisher does."""
        _not_on_a_class()

    @property
    def subscription_count(self) -> int:
        """Number of subscriptions that are matched to this publisher now."""
        _not_on_a_class()


class In(StreamEnd[T]):
    """A stream that the module receives: ``scan: In[LaserScan]``, handled by ``handle_scan``.

    Messages that come while the module is not active are dropped. A latched stream keeps its last ``depth``
    messages until the activation instead, because no publisher sends them again.
    """

    latest: T | None = None
    """The last message that came while the module was active; None before the first."""

    @property
    def publisher_count(self) -> int:
        """Number of publishers on this subscription's topic now."""
        _not_on_a_class()


def _not_on_a_class() -> NoReturn:
    raise RuntimeError("this stream is only declared: use it on an instance of the module, not on the class")


def declared_qos(default: Any) -> QoS:
    """Return the QoS of a stream's default in a class body, an ``In`` or ``Out``; without one, the default QoS."""
    return default.qos if isinstance(default, StreamEnd) else as_qos(None)
