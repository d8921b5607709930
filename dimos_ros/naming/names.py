"""ROS naming rules, applied where a name is written rather than where DDS refuses it.

The rules are those of ROS 2's topic and service name design: tokens of letters, digits and
underscores, none starting with a digit, no doubled underscore, ``/`` between tokens.
"""

from __future__ import annotations

import re

from dimos_ros.exceptions import InvalidNameError

MAX_TOPIC_LENGTH = 247
"""Characters of a full topic or service name that every RMW accepts (rmw: 255 less a prefix)."""

LONGEST_NODE_SUFFIX = "_container/set_parameters_atomically"
"""The longest that a node's name becomes: as that of its own container, with a service below it."""

_TOKEN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


def node_name_of(class_name: str) -> str:
    """Default node name of a class: ``ScanReplay`` gives ``scan_replay``, ``HTTPServer`` gives
    ``http_server``."""
    words = re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1_\2", class_name)
    words = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", words)
    return re.sub(r"_+", "_", words).strip("_").lower()


def _token_fault(token: str) -> str | None:
    if not token:
        return "it is empty"
    if not token.isascii():
        return "it has characters outside of ASCII letters, digits and underscores"
    if token[0].isdigit():
        return f"{_short(token)!r} starts with a digit"
    if not _TOKEN.match(token):
        return f"{_short(token)!r} has characters other than letters, digits and underscores"
    if "__" in token:
        return f"{_short(token)!r} has two underscores in a row"
    return None


def _short(text: str, limit: int = 60) -> str:
    return text if len(text) <= limit else f"{text[:limit]}… ({len(text)} characters)"


def _suggestion(text: str) -> str:
    """A name close to ``text`` that ROS accepts, as the tail of an error message."""
    tokens = []
    for token in text.split("/"):
        good = re.sub(r"_+", "_", re.sub(r"[^A-Za-z0-9_]", "_", token)).strip("_")
        if good and good[0].isdigit():
            good = f"r{good}"
        if good:
            tokens.append(good)
    name = "/".join(tokens)
    return f"; {name!r} would do" if name and len(name) <= 60 else ""


def check_node_name(name: str) -> str:
    """Return ``name`` if ROS accepts it as a node name.

    Raises InvalidNameError.
    """
    fault = "it is not text" if not isinstance(name, str) else _token_fault(name)
    if fault:
        raise InvalidNameError(f"{_short(str(name))!r} is no ROS node name: {fault}{_suggestion(str(name))}")
    longest = MAX_TOPIC_LENGTH - 1 - len(LONGEST_NODE_SUFFIX)
    if len(name) > longest:
        raise InvalidNameError(
            f"node name {_short(name)!r} is too long: {longest} characters at most, for its services"
        )
    return name


def normalize_namespace(namespace: str) -> str:
    """The one spelling of a namespace: no slash at either end, ``""`` for the global one.

    ``robot1``, ``/robot1`` and ``/robot1/`` are the same. Raises InvalidNameError.
    """
    if not isinstance(namespace, str):
        raise InvalidNameError(f"{namespace!r} is no namespace: it is not text")
    if namespace in ("", "/"):
        return ""
    stripped = namespace[1:] if namespace.startswith("/") else namespace
    stripped = stripped[:-1] if stripped.endswith("/") else stripped
    for token in stripped.split("/"):
        fault = _token_fault(token)
        if fault:
            raise InvalidNameError(f"{_short(namespace)!r} is no ROS namespace: {fault}{_suggestion(namespace)}")
    if len(stripped) + 1 > MAX_TOPIC_LENGTH - 2:
        raise InvalidNameError(
            f"namespace {_short(namespace)!r} is too long: {len(stripped) + 1} characters, "
            f"{MAX_TOPIC_LENGTH - 2} at most"
        )
    return stripped


def check_prefix(prefix: str) -> str:
    """A namespace to put something under: as :func:`normalize_namespace`, but not empty."""
    normal = normalize_namespace(prefix)
    if not normal:
        raise InvalidNameError(f"{prefix!r} is empty: a blueprint without .namespace() is in the global namespace")
    return normal


def check_topic(topic: str, owner: str) -> str:
    """Return ``topic`` if it is a relative or absolute topic name that ROS accepts.

    ``owner`` names the instance and stream in the error. Raises InvalidNameError.
    """
    if not isinstance(topic, str):
        raise InvalidNameError(f"{owner}: topic {topic!r} is not text")
    body = topic[1:] if topic.startswith("/") else topic
    for token in body.split("/"):
        fault = _token_fault(token)
        if fault:
            raise InvalidNameError(f"{owner}: {_short(topic)!r} is no ROS topic: {fault}{_suggestion(topic)}")
    return topic


def check_length(full_name: str, owner: str) -> None:
    """Raise InvalidNameError if a full topic or service name is longer than ROS carries."""
    if len(full_name) > MAX_TOPIC_LENGTH:
        raise InvalidNameError(
            f"{owner}: {_short(full_name)!r} has {len(full_name)} characters with its namespace; "
            f"ROS carries {MAX_TOPIC_LENGTH}"
        )


def join(namespace: str, name: str) -> str:
    """``name`` below a normalized namespace, without a leading slash; absolute names stay."""
    if name.startswith("/") or not namespace:
        return name
    return f"{namespace}/{name}"


def absolute(name: str) -> str:
    """The absolute form of a name relative to the global namespace."""
    return name if name.startswith("/") else f"/{name}"


def enclosing(namespace: str) -> list[str]:
    """``namespace`` itself, the ones around it, and the global one last."""
    tokens = namespace.split("/") if namespace else []
    return ["/".join(tokens[:n]) for n in range(len(tokens), -1, -1)]
