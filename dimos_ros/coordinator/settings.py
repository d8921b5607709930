"""The settings of a coordinator. Each is a ROS parameter of the coordinator's node."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any

from dimos_ros.exceptions import SettingsError
from dimos_ros.loading.log_levels import LOG_LEVELS, log_level_name
from dimos_ros.naming.wording import nearest, shown

EXECUTORS = ("events", "single", "multi")
"""Names of the executors that a container can use."""


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError
    return value


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ValueError
    return float(value)


def _seconds(value: Any) -> float:
    number = _number(value)
    if number <= 0:
        raise ValueError
    return number


def _delay(value: Any) -> float:
    number = _number(value)
    if number < 0:
        raise ValueError
    return number


def _count(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError
    return value


def _executor(value: Any) -> str:
    if value not in EXECUTORS:
        raise ValueError
    return str(value)


@dataclass(frozen=True)
class Takes:
    """Values that a setting takes: in words, and as a function that raises ValueError for any other value."""

    words: str
    read: Callable[[Any], Any]


FLAG = Takes("true or false", _flag)
SECONDS = Takes("a finite number of seconds above 0", _seconds)
DELAY = Takes("a finite number of seconds, 0 or more", _delay)
COUNT = Takes("a whole number, 0 or more", _count)
EXECUTOR = Takes(f"one of {', '.join(EXECUTORS)}", _executor)
LEVEL = Takes(f"one of {', '.join(LOG_LEVELS)}, or empty text", log_level_name)


def _setting(default: Any, takes: Takes, help: str) -> Any:
    return field(default=default, metadata={"takes": takes, "help": help})


@dataclass(frozen=True)
class Settings:
    """Settings of one coordinator; times are in seconds.

    Raises SettingsError for a value that a setting does not take.
    """

    fail_fast: bool = _setting(
        True,
        FLAG,
        "Whether the failure of one module takes down all modules that start with it. If false, the others run on.",
    )
    load_timeout: float = _setting(
        30.0, SECONDS, "Seconds that a module has for the import of its class and for its constructor."
    )
    transition_timeout: float = _setting(
        20.0, SECONDS, "Seconds that a module has for one lifecycle callback, such as on_configure."
    )
    stop_timeout: float = _setting(
        3.0,
        SECONDS,
        "Seconds that a module has to stop: deactivate, clean up, destroy its node. Then it is ended by force.",
    )
    compile_timeout: float = _setting(60.0, SECONDS, "Seconds for the import of a blueprint and its planning.")
    respawn: bool = _setting(True, FLAG, "Whether modules are started again after their process died.")
    respawn_delay: float = _setting(
        0.2,
        DELAY,
        "Seconds before the first respawn of a module. The delay doubles with each further respawn in a row.",
    )
    respawn_limit: int = _setting(
        5, COUNT, "Number of respawns in a row. After the last, a module stays down until it is restarted by hand."
    )
    spares: int = _setting(
        1,
        COUNT,
        "Number of spare processes. A restart uses one, and so need not wait for a new process to start.",
    )
    executor: str = _setting(
        "events", EXECUTOR, f"Executor that runs the callbacks of a container: {', '.join(EXECUTORS)}."
    )
    log_level: str = _setting(
        "", LEVEL, f"Log level of the containers: {', '.join(LOG_LEVELS)}. Empty for ROS's default."
    )

    def __post_init__(self) -> None:
        for one in fields(self):
            value, takes = getattr(self, one.name), one.metadata["takes"]
            try:
                object.__setattr__(self, one.name, takes.read(value))
            except (ValueError, OverflowError):
                raise SettingsError(f"setting {one.name} takes {takes.words}, not {shown(value)}") from None

    @classmethod
    def of(cls, **given: Any) -> Settings:
        """Return the settings of these names and values. Raises SettingsError for an unknown name or a wrong value."""
        known = [one.name for one in fields(cls)]
        for name in given:
            if name not in known:
                raise SettingsError(f"the coordinator has no setting {shown(name)}; it has {nearest(name, known)}")
        return cls(**given)
