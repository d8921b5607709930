"""The wire contract of calls: what goes through a module's ``~/call`` service, ``dimos_interfaces/srv/Call``.

Both ends, :mod:`dimos_ros.calls.proxy` and :mod:`dimos_ros.calls.server`, take it from here. The comments of
``Call.srv`` say the same for clients in other languages; a change here is a change there.

**Request.** ``method`` names the call. ``arguments`` is JSON text in one of three forms:

* an object: arguments by name, ``{"speed": 0.5}``;
* an array: arguments by position, ``[0.5]``;
* nothing, blank text or ``null``: no arguments.

An object may hold two keys besides the arguments. They start with ``$``, so no Python argument has their name:

* ``$positional``: an array of arguments by position. A client needs it to send arguments by name as well, or
  ``$encoded``.
* ``$encoded``: ``true`` asks for a result in the encoded form below. Only a client that can decode it sends this.

Three method names are not calls. Every module answers them in any lifecycle state:

* ``help`` and the empty name return the list of calls, an object: ``{"clear": {"signature": "clear() -> int",
  "summary": "Forget the map."}}``. A call that is also a ROS service of its own has ``service`` there too, its name
  and type.
* ``$process`` returns the identity of the process that answers: ``{"pid": 4711, "start": "8312", "machine": "..."}``.
  A proxy asks for it to see that its request reaches this process, and to notice later that the process has ended.
  ``start`` is the kernel's start time of the process; ``machine`` names the space in which the pid is valid.

**Response.** If ``success`` is true, ``result`` is the JSON of the result, checked against the return annotation. If
it is false, ``error_type`` is a class name and ``error_message`` a text for people. Then there are two kinds:

* A *refusal* has no ``error_traceback``: the method did not run, or its result does not fit its annotation.
  ``error_type`` is then one of :data:`REFUSALS`.
* Otherwise the method raised. ``error_type`` is the class of its exception, ``error_traceback`` its traceback as text.
  Another ``error_type`` without a traceback means that the response could not be sent as it was.

**Values.** Numbers, text, lists and objects are JSON's; ``bytes`` are base64 text. Arrays and ROS messages have two
forms. Both are accepted in arguments; results have the first one unless the request has ``$encoded``.

* *Plain*, which a person can type: a message as an object of its fields, an array as a list.
* *Encoded*, which keeps the exact type and is about a hundred times faster for images::

    {"$message": "sensor_msgs/msg/Image", "cdr": "<base64 of the serialized message, plain little-endian CDR>"}
    {"$array": "<f4", "shape": [480, 640], "data": "<base64 of the elements in C order>"}

  ``$array`` is numpy's name of the element type: byte order, kind, bytes for each element.

JSON has no NaN or infinity, so a float that is not finite is written as Python does: ``NaN``, ``Infinity``.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from dimos_ros.declaration.rpc import LISTING
from dimos_ros.exceptions import ArgumentError, CallError, TargetInactiveError, UnknownMethodError

__all__ = [
    "ARRAY",
    "CALL_TYPE",
    "ENCODED",
    "IDENTITY",
    "LISTING",
    "LISTINGS",
    "MESSAGE",
    "POSITIONAL",
    "REFUSALS",
    "SERVICE",
    "Answer",
]

SERVICE = "call"
"""Name of the service, below the module's node name."""

CALL_TYPE = "dimos_interfaces/srv/Call"
"""Type of the service."""

LISTINGS = ("", LISTING)
"""Method names that return the list of calls."""

IDENTITY = "$process"
"""Method name that returns the identity of the process, in any lifecycle state."""

ENCODED = "$encoded"
"""Key beside the arguments: true asks for arrays and messages of the result in the encoded form."""

POSITIONAL = "$positional"
"""Key beside the arguments: a list of arguments by position."""

MESSAGE = "$message"
"""Key of an encoded message: the name of its type. The other key is ``cdr``."""

ARRAY = "$array"
"""Key of an encoded array: its element type. The other keys are ``shape`` and ``data``."""

REFUSALS: dict[str, type[CallError]] = {
    error.__name__: error for error in (ArgumentError, TargetInactiveError, UnknownMethodError)
}
"""Errors of the call itself, by class name. An answer that has one of them has no traceback."""


class Answer(NamedTuple):
    """The end of a call: the fields of the service's response."""

    success: bool
    result: str = ""
    error_type: str = ""
    error_message: str = ""
    error_traceback: str = ""

    @classmethod
    def of_response(cls, response: Any) -> Answer:
        """Return the answer that a response of the service holds."""
        return cls(
            response.success,
            response.result,
            response.error_type,
            response.error_message,
            response.error_traceback,
        )

    @property
    def refusal(self) -> type[CallError] | None:
        """The error of a call that was refused; None if it succeeded or the method raised."""
        return None if self.success or self.error_traceback else REFUSALS.get(self.error_type)
