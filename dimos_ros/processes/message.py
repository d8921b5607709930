"""Messages of a control channel: frozen dataclasses that are sent as JSON objects."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Generic, TypeVar

A = TypeVar("A")
M = TypeVar("M", bound="Message")


@dataclass(frozen=True)
class Message:
    """The base class of all messages. Fields are plain data, unless a class overrides both conversions."""

    name: ClassVar[str] = ""
    """The name in the JSON object: the class name in lower case, its words joined by ``_``."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        cls.name = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", cls.__name__).lower()

    def to_data(self) -> dict[str, Any]:
        """Return the fields as data that JSON can hold."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @classmethod
    def from_data(cls: type[M], data: Mapping[str, Any]) -> M:
        """Return the message that :meth:`to_data` made ``data`` of. Raises TypeError or ValueError for wrong fields."""
        return cls(**data)

    @property
    def subject(self) -> str:
        """The node that the message concerns, for the log; "" for none."""
        return ""


@dataclass(frozen=True)
class Request(Message, Generic[A]):
    """A message that the parent sends and the child answers with an ``A``, or with an error."""

    answer: ClassVar[type[Message] | None] = None
    """The class ``A``; None if the answer only confirms that the request was carried out."""

    @property
    def action(self) -> str:
        """The request in words that follow "did not" in an error: ``load /robot1/mapper``."""
        return f"{self.name.replace('_', ' ')} {self.subject}".strip()


@dataclass(frozen=True)
class Notice(Message):
    """A message that the parent sends without waiting for an answer. Notices are handled in order."""


@dataclass(frozen=True)
class Event(Message):
    """A message that the child sends without a request."""


class Protocol:
    """The messages that both ends of a channel know. Both ends need the same version."""

    def __init__(self, version: int, messages: Iterable[type[Message]]) -> None:
        self.version = version
        self._classes = {message.name: message for message in messages}

    def read(self, name: Any, data: Any) -> Message:
        """Return the message with this name and these fields. Raises ValueError for an unknown name or wrong fields."""
        found = self._classes.get(name) if isinstance(name, str) else None
        if found is None:
            raise ValueError(f"no message is called {name!r:.80}; there are {', '.join(sorted(self._classes))}")
        try:
            return found.from_data(data)
        except (TypeError, ValueError, KeyError, AttributeError) as error:
            raise ValueError(f"the fields of {found.name} do not fit: {type(error).__name__}: {error}") from error
