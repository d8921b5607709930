"""Names and classes of ROS message types, and how to get one from the other."""

from __future__ import annotations

import importlib
import re
import sys
from typing import Any

from dimos_ros.exceptions import DeclarationError

_NAME = re.compile(r"([a-z][a-z0-9_]*)/(msg|srv|action)/([A-Za-z][A-Za-z0-9]*)(?:_(Request|Response))?\Z")


def is_message_type(annotation: Any) -> bool:
    """Return whether ``annotation`` is a generated ROS class: of a message, a request or a response."""
    return isinstance(annotation, type) and hasattr(annotation, "get_fields_and_field_types")


def type_name(interface_type: type) -> str:
    """Return the name of a message, service or request class.

    It is ``sensor_msgs/msg/Image``, ``std_srvs/srv/SetBool`` or ``std_srvs/srv/SetBool_Request``.
    """
    package, kind, *_ = interface_type.__module__.split(".")
    return f"{package}/{kind}/{interface_type.__name__}"


def message_class(name: str) -> Any:
    """Import the class that ``sensor_msgs/msg/LaserScan`` names. Raises DeclarationError."""
    package, kind, message = name.split("/")
    try:
        return getattr(importlib.import_module(f"{package}.{kind}"), message)
    except (ImportError, AttributeError) as error:
        raise DeclarationError(f"there is no message type {name}: {error}") from error


def loaded_type(name: Any) -> Any:
    """Return the message class of that name if this process has loaded it; None otherwise.

    Imports nothing, so that a peer cannot make this process load code by sending a name.
    """
    match = _NAME.match(name) if isinstance(name, str) else None
    if match is None:
        return None
    found = getattr(sys.modules.get(f"{match[1]}.{match[2]}"), match[3], None)
    if match[4]:
        found = getattr(found, match[4], None)
    return found if is_message_type(found) else None
