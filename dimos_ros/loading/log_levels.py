"""ROS's log levels by name, and as a load request numbers them."""

from __future__ import annotations

LOG_LEVELS = {"debug": 10, "info": 20, "warn": 30, "error": 40, "fatal": 50}
"""From the least severe; 0 in a load request leaves the level as it is."""


def log_level_name(text: object) -> str:
    """Spell a level as it stands in :data:`LOG_LEVELS`: ``WARN`` and ``warning`` are ``warn``, "" stays.

    Raises ValueError for what is not a level.
    """
    name = text.strip().lower() if isinstance(text, str) else None
    if name == "warning":
        return "warn"
    if name is None or (name and name not in LOG_LEVELS):
        raise ValueError(f"{text!r:.80} is not a log level")
    return name
