"""The coordinator's ROS parameters: their table, and the source and settings that their values make."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from dimos_ros.blueprint.source import FIELDS, BlueprintSource, Kind
from dimos_ros.blueprint.source_text import read_source
from dimos_ros.blueprint.yaml_text import value_of_yaml
from dimos_ros.coordinator.settings import Settings
from dimos_ros.exceptions import BlueprintError
from dimos_ros.naming.wording import listed, nearest, shown

SETTINGS = {one.name: one for one in fields(Settings)}
PARAMETERS: dict[str, tuple[Any, str]] = {
    **{row.name: (row.default, row.help) for row in FIELDS},
    **{name: (one.default, one.metadata["help"]) for name, one in SETTINGS.items()},
}
"""Default and help of each parameter. ``log_level`` is a field of the source and a setting."""

OF_RCLPY = ("use_sim_time", "start_type_description_service")
"""Parameters that every node has."""

_SEPARATED = {row.name: f"{row.name}." for row in FIELDS if row.kind is Kind.MAPPING}
"""Prefix by field: a mapping may be given as several parameters, such as ``parameters.mapper.resolution``."""


@dataclass(frozen=True)
class Options:
    """Source and settings that the coordinator's ROS parameters give."""

    source: BlueprintSource
    settings: Settings


def read_options(given: Mapping[str, Any]) -> Options:
    """Return the source and settings that the values of the node's parameters give, by name of the parameter.

    Raises BlueprintError for an unknown parameter or a wrong value of the source, SettingsError for a wrong setting.
    """
    for name in given:
        allowed = name in PARAMETERS or name in OF_RCLPY
        if not allowed and not name.startswith((*_SEPARATED.values(), "qos_overrides.")):
            known = nearest(name, PARAMETERS)
            raise BlueprintError(f"the coordinator has no parameter {shown(name)}; it has {known}")
    settings = {name: _setting(given[name], one.default) for name, one in SETTINGS.items() if name in given}
    source = {row.name: given[row.name] for row in FIELDS if row.name in given}
    for field in _SEPARATED:
        if nested := _nested(given, field):
            if source.get(field):
                raise BlueprintError(
                    f"{field} are given twice: as one mapping, and as {listed(nested)}; give one of them"
                )
            source[field] = nested
    return Options(read_source(source), Settings.of(**settings))


def _setting(value: Any, default: Any) -> Any:
    """Return the value of a setting. The text ``'0.5'`` is taken as the number ``0.5``."""
    return value_of_yaml(value) if isinstance(value, str) and not isinstance(default, str) else value


def _nested(given: Mapping[str, Any], field: str) -> dict[str, Any]:
    """Return the mapping that several parameters give together: by module and parameter, or by argument."""
    found: dict[str, Any] = {}
    for full_name, value in given.items():
        if not full_name.startswith(_SEPARATED[field]):
            continue
        name = full_name.removeprefix(_SEPARATED[field])
        if field == "arguments":
            found[name] = value
            continue
        module, dot, parameter = name.partition(".")
        if not dot:
            raise BlueprintError(f"{full_name} names a module but no parameter: give {full_name}.NAME")
        found.setdefault(module, {})[parameter] = value
    return found
