"""ROS naming rules, checked where a name is written, long before DDS would refuse it.

The rules are those of ROS 2's topic and service name design. A name is tokens with ``/`` between them. A token has
letters, digits and underscores; it does not start with a digit and has no two underscores in a row.
"""

from __future__ import annotations

import re

from dimos_ros.exceptions import InvalidNameError
from dimos_ros.naming.wording import shortened, shown

MAX_TOPIC_LENGTH = 247
"""Characters of a full topic or service name that every middleware accepts: 255, less the prefix that rmw adds."""

LONGEST_NODE_SUFFIX = "_container/set_parameters_atomically"
"""The longest text that is appended to a node's name: its dedicated container has this service."""

LONGEST_NAME = 60
"""Characters of a name that an error shows."""

_TOKEN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


def node_name_of(class_name: str) -> str:
    """Return a class's default node name: ``ScanReplay`` gives ``scan_replay``, ``HTTPServer`` ``http_server``."""
    words = re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1_\2", class_name)
    words = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", words)
    return re.sub(r"_+", "_", words).strip("_").lower()


def _token_fault(token: str) -> str | None:
    if not token:
        return "it is empty"
    if not token.isascii():
        return "it has characters outside of ASCII letters, digits and underscores"
    if token[0].isdigit():
        return f"{_brief(token)} starts with a digit"
    if not _TOKEN.match(token):
        return f"{_brief(token)} has characters other than letters, digits and underscores"
    if "__" in token:
        return f"{_brief(token)} has two underscores in a row"
    return None


def _brief(text: str) -> str:
    return repr(shortened(text, LONGEST_NAME))


def _suggestion(text: str) -> str:
    """Return a name close to ``text`` that ROS accepts, as the tail of an error; empty if there is none."""
    tokens = []
    for token in text.split("/"):
        good = re.sub(r"_+", "_", re.sub(r"[^A-Za-z0-9_]", "_", token)).strip("_")
        if good and good[0].isdigit():
            good = f"r{good}"
        if good:
            tokens.append(good)
    name = "/".join(tokens)
    return f"; {name!r} would do" if name and len(name) <= LONGEST_NAME else ""


def check_node_name(name: str) -> str:
    """Return ``name`` if ROS accepts it as a node name. Raises InvalidNameError."""
    fault = "it is not text" if not isinstance(name, str) else _token_fault(name)
    if fault:
        raise InvalidNameError(f"{_brief(str(name))} is not a ROS node name: {fault}{_suggestion(str(name))}")
    longest = MAX_TOPIC_LENGTH - 1 - len(LONGEST_NODE_SUFFIX)
    if len(name) > longest:
        raise InvalidNameError(
            f"node name {_brief(name)} is too long: it may have {longest} characters, to leave room for its services"
        )
    return name


def normalize_namespace(namespace: str) -> str:
    """Return a namespace in its one spelling: no slash at either end, ``""`` for the global one.

    ``robot1``, ``/robot1`` and ``/robot1/`` are the same. Raises InvalidNameError.
    """
    if not isinstance(namespace, str):
        raise InvalidNameError(f"{shown(namespace)} is not a namespace: it is not text")
    if namespace in ("", "/"):
        return ""
    stripped = namespace[1:] if namespace.startswith("/") else namespace
    stripped = stripped[:-1] if stripped.endswith("/") else stripped
    for token in stripped.split("/"):
        fault = _token_fault(token)
        if fault:
            raise InvalidNameError(f"{_brief(namespace)} is not a ROS namespace: {fault}{_suggestion(namespace)}")
    if len(stripped) + 1 > MAX_TOPIC_LENGTH - 2:
        raise InvalidNameError(
            f"namespace {_brief(namespace)} is too long: it has {len(stripped) + 1} characters with its slash, "
            f"and may have {MAX_TOPIC_LENGTH - 2}"
        )
    return stripped


def check_prefix(prefix: str) -> str:
    """Return a normalized namespace to put something under. Raises InvalidNameError, also for the global one."""
    normal = normalize_namespace(prefix)
    if not normal:
        raise InvalidNameError(f"{prefix!r} is empty: a blueprint without .namespace() is in the global namespace")
    return normal


def check_topic(topic: str, owner: str) -> str:
    """Return ``topic`` if it is a relative or absolute topic name that ROS accepts.

    ``owner`` names the instance and stream in the error. Raises InvalidNameError.
    """
    if not isinstance(topic, str):
        raise InvalidNameError(f"{owner}: topic {shown(topic)} is not text")
    body = topic[1:] if topic.startswith("/") else topic
    for token in body.split("/"):
        fault = _token_fault(token)
        if fault:
            raise InvalidNameError(f"{owner}: {_brief(topic)} is not a ROS topic: {fault}{_suggestion(topic)}")
    return topic


def check_length(full_name: str, owner: str) -> None:
    """Raise InvalidNameError if a full topic or service name is longer than ROS accepts."""
    if len(full_name) > MAX_TOPIC_LENGTH:
        raise InvalidNameError(
            f"{owner}: {_brief(full_name)} has {len(full_name)} characters with its namespace; "
            f"ROS accepts {MAX_TOPIC_LENGTH}"
        )


def join(namespace: str, name: str) -> str:
    """Return ``name`` below a normalized namespace, without a leading slash; an absolute name stays."""
    if name.startswith("/") or not namespace:
        return name
    return f"{namespace}/{name}"


def absolute(name: str) -> str:
    """Return the absolute form of a name that is relative to the global namespace."""
    return name if name.startswith("/") else f"/{name}"


def enclosing(namespace: str) -> list[str]:
    """Return ``namespace`` itself, the namespaces around it from the inside out, and the global one last."""
    tokens = namespace.split("/") if namespace else []
    return ["/".join(tokens[:n]) for n in range(len(tokens), -1, -1)]
