"""The live ends of a module's streams: a publisher for each ``Out``, a subscription for each ``In``."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from dimos_ros.declaration.interface import Stream
from dimos_ros.declaration.message_types import message_class
from dimos_ros.declaration.streams import In, Out

T = TypeVar("T")


class Owner(Protocol):
    """The part of a module that its streams use: a node's endpoints, and the report of errors."""

    def create_publisher(self, msg_type: Any, topic: str, qos_profile: Any) -> Any: ...
    def create_subscription(self, msg_type: Any, topic: str, callback: Any, qos_profile: Any) -> Any: ...
    def destroy_publisher(self, publisher: Any) -> Any: ...
    def destroy_subscription(self, subscription: Any) -> Any: ...
    def resolve_topic_name(self, topic: str) -> str: ...
    def count_publishers(self, topic_name: str) -> int: ...
    def _report(self, where: str, error: BaseException) -> None: ...


def live_end(owner: Owner, stream: Stream) -> LiveIn[Any] | LiveOut[Any]:
    """Return the live end of a declared stream, whose ROS endpoint :meth:`create` makes later."""
    return LiveIn(owner, stream) if stream.direction == "in" else LiveOut(owner, stream)


class LiveOut(Out[T]):
    """A live ``Out``: a publisher while the module is configured."""

    def __init__(self, owner: Owner, stream: Stream) -> None:
        super().__init__(stream.qos)
        self._owner, self._stream = owner, stream
        self._publisher: Any = None
        self._open = False

    @property
    def topic(self) -> str:
        return str(self._owner.resolve_topic_name(self._stream.name))

    def publish(self, message: T) -> None:
        if self._open:
            self._publisher.publish(message)

    @property
    def subscription_count(self) -> int:
        return self._publisher.get_subscription_count() if self._publisher else 0

    def create(self) -> None:
        """Create the publisher."""
        kind = message_class(self._stream.message_type)
        self._publisher = self._owner.create_publisher(kind, self._stream.name, self.qos.profile())

    def set_open(self, is_open: bool) -> None:
        """Start or stop sending messages."""
        self._open = is_open

    def destroy(self) -> None:
        """Destroy the publisher."""
        self._open = False
        if self._publisher is not None:
            self._owner.destroy_publisher(self._publisher)
            self._publisher = None


class LiveIn(In[T]):
    """A live ``In``: a subscription while the module is configured."""

    def __init__(self, owner: Owner, stream: Stream) -> None:
        super().__init__(stream.qos)
        self._owner, self._stream = owner, stream
        self._subscription: Any = None
        self._open = False
        self._handler: Callable[[T], Any] | None = None
        self._waiting: deque[T] = deque(maxlen=self.qos.depth or None)

    @property
    def topic(self) -> str:
        return str(self._owner.resolve_topic_name(self._stream.name))

    @property
    def publisher_count(self) -> int:
        return self._owner.count_publishers(self.topic) if self._subscription else 0

    def create(self) -> None:
        """Create the subscription."""
        self._handler = getattr(self._owner, f"handle_{self._stream.name}", None)
        kind = message_class(self._stream.message_type)
        self._subscription = self._owner.create_subscription(kind, self._stream.name, self._receive, self.qos.profile())

    def set_open(self, is_open: bool) -> None:
        """Start or stop handling messages. Starting handles a latched stream's waiting messages first."""
        self._open = is_open
        while is_open and self._waiting:
            self._receive(self._waiting.popleft())

    def destroy(self) -> None:
        """Destroy the subscription and drop the waiting messages."""
        self._open = False
        self._waiting.clear()
        if self._subscription is not None:
            self._owner.destroy_subscription(self._subscription)
            self._subscription = None

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
                self._owner._report(f"handle_{self._stream.name}", error)
