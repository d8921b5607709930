"""The source that a request of LoadBlueprint.srv describes; its fields are those of the table of sources."""

from __future__ import annotations

from typing import Any

from dimos_ros.blueprint.source import FIELDS, BlueprintSource
from dimos_ros.blueprint.source_text import read_source


def source_of(request: Any) -> BlueprintSource:
    """What a request of ``load_blueprint`` says. Raises BlueprintError for text that a field does not take."""
    return read_source({row.name: getattr(request, row.request_name) for row in FIELDS})
