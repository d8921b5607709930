"""YAML in an option, a ROS parameter or a field of a request: a mapping that somebody typed in one line."""

from __future__ import annotations

from typing import Any

from dimos_ros.blueprint.located_yaml import Located, parse
from dimos_ros.exceptions import BlueprintError
from dimos_ros.naming.wording import shown

MOST_LEVELS = 50
"""Mappings and lists in each other. More would be too many for those that walk through the value."""


def mapping_of_yaml(text: str, what: str, example: str) -> dict[str, Any]:
    """The mapping that YAML text is; keys are text, blank text is an empty mapping.

    ``what`` names the text in errors, ``example`` is one that would do. Raises BlueprintError.
    """
    if not text.strip():
        return {}
    try:
        found = parse(text, what, BlueprintError)
        if _levels(found) > MOST_LEVELS:
            raise found.fault(f"this is nested too deeply: at most {MOST_LEVELS} levels")
    except BlueprintError as error:
        raise BlueprintError(f"{error}; {what} takes a YAML mapping such as {example}") from None
    if not isinstance(found.value, dict):
        raise BlueprintError(f"{what} takes a YAML mapping such as {example}, not {shown(text)}")
    return found.plain()


def value_of_yaml(text: str) -> Any:
    """The value that YAML text is, such as ``0.5`` or ``true``; the text itself where it is not YAML."""
    try:
        return parse(text, "", BlueprintError).plain()
    except BlueprintError:
        return text


def _levels(item: Located) -> int:
    inner = item.value.values() if isinstance(item.value, dict) else item.value
    return 1 + max(map(_levels, inner), default=0) if isinstance(item.value, (dict, list)) else 0
