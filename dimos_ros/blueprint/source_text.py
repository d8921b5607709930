"""A source as it is written at one of the doors: in ROS parameters, on a command line, in a request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dimos_ros.blueprint.source import FIELDS, BlueprintSource, Kind, SourceField
from dimos_ros.blueprint.yaml_text import mapping_of_yaml
from dimos_ros.exceptions import BlueprintError
from dimos_ros.naming.wording import shown


def read_source(given: Mapping[str, Any]) -> BlueprintSource:
    """The source that ``given`` says, each field by name as text or as the value itself.

    Raises BlueprintError for what a field does not take.
    """
    return BlueprintSource(**{f.name: read_field(f, given[f.name]) for f in FIELDS if f.name in given})


def read_field(row: SourceField, value: Any) -> Any:
    """The value of one field. What is not text is passed on: the source checks it. Raises BlueprintError."""
    if not isinstance(value, str):
        return value
    if row.kind is Kind.MAPPING:
        return mapping_of_yaml(value, row.name, row.example)
    return read_flag(value, row.name) if row.kind is Kind.FLAG else value.strip()


def read_flag(text: str, name: str) -> bool:
    """Whether text says true (``true``, ``1``) or false (``false``, ``0``). Raises BlueprintError for other text."""
    word = text.strip().lower()
    if word not in ("true", "false", "1", "0"):
        raise BlueprintError(f"{name} takes true or false, not {shown(text)}")
    return word in ("true", "1")
