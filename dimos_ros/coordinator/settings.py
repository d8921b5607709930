"""The bounds and choices of a coordinator, as a value. Each is a ROS parameter of the coordinator's node."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any

from dimos_ros.exceptions import SettingsError
from dimos_ros.loading.log_levels import LOG_LEVELS, log_level_name
from dimos_ros.naming.wording import nearest, shown

EXECUTORS = ("events", "single", "multi")
"""The executors of a container, by the names that containers have for them."""


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
    """Which values a setting takes: in words, and as a function that raises ValueError for any other."""

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
    """The bounds and choices of one coordinator; times are in seconds.

    Raises SettingsError for a value that would not work.
    """

    fail_fast: bool = _setting(
        True, FLAG, "Whether one module that fails takes down all that is started with it; if not, the rest runs on."
    )
    load_timeout: float = _setting(30.0, SECONDS, "Seconds for importing a module's class and running its constructor.")
    transition_timeout: float = _setting(
        20.0, SECONDS, "Seconds for one lifecycle callback of a module, such as on_configure."
    )
    stop_timeout: float = _setting(
        3.0, SECONDS, "Seconds for a module to deactivate, clean up and be destroyed; then it is ended by force."
    )
    compile_timeout: float = _setting(60.0, SECONDS, "Seconds for importing a blueprint and planning it.")
    respawn: bool = _setting(True, FLAG, "Whether modules whose process died are brought back.")
    respawn_delay: float = _setting(0.2, DELAY, "Seconds before the first respawn, doubled for each that follows soon.")
    respawn_limit: int = _setting(
        5, COUNT, "Respawns in a row, after which a module stays down until it is restarted by hand."
    )
    spares: int = _setting(
        1, COUNT, "Processes kept ready, so that a restart does not wait for one to join the ROS graph."
    )
    executor: str = _setting("events", EXECUTOR, f"Executor of the containers: {', '.join(EXECUTORS)}.")
    log_level: str = _setting(
        "", LEVEL, f"Least severe log messages that are shown: {', '.join(LOG_LEVELS)}. Empty for ROS's default."
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
        """Settings by name. Raises SettingsError, also for an unknown name: with the nearest ones."""
        known = [one.name for one in fields(cls)]
        for name in given:
            if name not in known:
                raise SettingsError(f"the coordinator has no setting {shown(name)}; it has {nearest(name, known)}")
        return cls(**given)
