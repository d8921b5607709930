"""``In`` and ``Out``: a module's typed streams, as declarations and as the live ends."""

from __future__ import annotations

import importlib
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from dimos_ros.exceptions import DeclarationError
from dimos_ros.module.qos import QoS, as_qos

if TYPE_CHECKING:
    from dimos_ros.module.module import Module

T = TypeVar("T")


def message_class(name: str) -> Any:
    """The class of a ROS type's name: ``sensor_msgs/msg/LaserScan``. Raises DeclarationError."""
    package, kind, message = name.split("/")
    try:
        return getattr(importlib.import_module(f"{package}.{kind}"), message)
    except (ImportError, AttributeError) as error:
        raise DeclarationError(f"there is no message type {name}: {error}") from error


class _End(Generic[T]):
    """What both ends share: the declaration, and the topic once the module is configured."""

    def __init__(self, qos: QoS | str | int | None = None) -> None:
        """Declare a stream; ``qos`` is a QoS, a profile's name or a history depth."""
        self.qos = as_qos(qos)
        self._name = ""
        self._module: Module | None = None
        self._message_type = ""
        self._open = False

    def _bind(self, module: Module, name: str, message_type: str) -> None:
        self._module, self._name, self._message_type = module, name, message_type

    def _bound(self) -> Module:
        if self._module is None:
            raise RuntimeError("a declared stream works on a module, not on its class")
        return self._module

    @property
    def topic(self) -> str:
        """The full topic name, remap rules applied."""
        return str(self._bound().resolve_topic_name(self._name))


class Out(_End[T]):
    """A stream that the module publishes: ``map: Out[OccupancyGrid]``."""

    _publisher: Any = None

    def publish(self, message: T) -> None:
        """Send ``message``. Nothing is sent while the module is not active, as with any managed
        node's publisher."""
        if self._open:
            self._publisher.publish(message)

    @property
    def subscription_count(self) -> int:
        """Subscriptions that are matched to this publisher now."""
        return self._publisher.get_subscription_count() if self._publisher else 0

    def _create(self) -> None:
        self._publisher = self._bound().create_publisher(
            message_class(self._message_type), self._name, self.qos.profile()
        )

    def _set_open(self, is_open: bool) -> None:
        self._open = is_open

    def _destroy(self) -> None:
        self._open = False
        if self._publisher is not None:
            self._bound().destroy_publisher(self._publisher)
            self._publisher = None


class In(_End[T]):
    """A stream that the module receives: ``scan: In[LaserScan]``, handled by ``handle_scan``.

    While the module is not active, messages are dropped, except on a latched stream: there the
    last ``depth`` wait for the activation, since nobody will send them again.
    """

    _subscription: Any = None

    def __init__(self, qos: QoS | str | int | None = None) -> None:
        super().__init__(qos)
        self._handler: Callable[[T], Any] | None = None
        self._waiting: deque[T] = deque(maxlen=self.qos.depth or None)
        self.latest: T | None = None
        """The message that came last while the module was active; None before the first."""

    @property
    def publisher_count(self) -> int:
        """Publishers that are matched to this subscription now."""
        return self._bound().count_publishers(self.topic) if self._subscription else 0

    def _create(self) -> None:
        module = self._bound()
        self._handler = getattr(module, f"handle_{self._name}", None)
        kind = message_class(self._message_type)
        self._subscription = module.create_subscription(kind, self._name, self._receive, self.qos.profile())

    def _destroy(self) -> None:
        self._open = False
        self._waiting.clear()
        if self._subscription is not None:
            self._bound().destroy_subscription(self._subscription)
            self._subscription = None

    def _set_open(self, is_open: bool) -> None:
        self._open = is_open
        while is_open and self._waiting:
            self._receive(self._waiting.popleft())

    def _receive(self, message: T) -> None:
        if not self._open:
            if self.qos.latched:
                self._waiting.append(message)
            return
        self.latest = message
        if self._handler is not None:
            try:
                self._handler(message)
            except Exception as error:
                self._bound()._count_error(f"handle_{self._name}", error)
