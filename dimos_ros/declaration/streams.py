"""``In`` and ``Out`` as a class body declares them. A configured module has the live ends in their place."""

from __future__ import annotations

from typing import Any, Generic, NoReturn, TypeVar

from dimos_ros.declaration.qos import QoS, as_qos

T = TypeVar("T")


class StreamEnd(Generic[T]):
    """What ``In`` and ``Out`` share: the quality of service, and the topic once there is a module."""

    def __init__(self, qos: QoS | str | int | None = None) -> None:
        """Declare a stream; ``qos`` is a QoS, a profile's name or a history depth."""
        self.qos = as_qos(qos)

    @property
    def topic(self) -> str:
        """The full topic name, remap rules applied."""
        _not_on_a_class()


class Out(StreamEnd[T]):
    """A stream that the module publishes: ``map: Out[OccupancyGrid]``."""

    def publish(self, message: T) -> None:
        """Send ``message``. As with any managed node's publisher, nothing is sent unless the module is active."""
        _not_on_a_class()

    @property
    def subscription_count(self) -> int:
        """Subscriptions that are matched to this publisher now."""
        _not_on_a_class()


class In(StreamEnd[T]):
    """A stream that the module receives: ``scan: In[LaserScan]``, handled by ``handle_scan``.

    While the module is not active, messages are dropped. A latched stream is the exception: its last ``depth``
    messages wait for the activation, because no publisher sends them again.
    """

    latest: T | None = None
    """The message that came last while the module was active; None before the first."""

    @property
    def publisher_count(self) -> int:
        """Publishers that are matched to this subscription now."""
        _not_on_a_class()


def _not_on_a_class() -> NoReturn:
    raise RuntimeError("a declared stream works on a module, not on its class")


def declared_qos(default: Any) -> QoS:
    """The quality of service of a stream's default in a class body: of an ``In`` or ``Out``, else the default."""
    return default.qos if isinstance(default, StreamEnd) else as_qos(None)
