"""The source that a request of LoadBlueprint.srv describes. The table of sources lists its fields."""

from __future__ import annotations

from typing import Any

from dimos_ros.blueprint.source import FIELDS, BlueprintSource
from dimos_ros.blueprint.source_text import read_source


def source_of(request: Any) -> BlueprintSource:
    """Return the source that a request describes. Raises BlueprintError for text that a field does not take."""
    return read_source({row.name: getattr(request, row.request_name) for row in FIELDS})
