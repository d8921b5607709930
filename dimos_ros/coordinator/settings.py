"""The bounds and choices of a coordinator, as a value. Each is a ROS parameter of its node."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """All times are in seconds."""

    fail_fast: bool = True
    """Whether one module that fails takes down what was being built with it."""
    load_timeout: float = 30.0
    """For importing a module's class and running its constructor."""
    transition_timeout: float = 20.0
    """For one lifecycle callback, such as on_configure."""
    stop_timeout: float = 3.0
    """For a module to deactivate, clean up and be destroyed; then it is ended by force."""
    compile_timeout: float = 60.0
    """For importing a blueprint and planning it."""
    respawn: bool = True
    """Whether modules whose process died are brought back."""
    respawn_delay: float = 0.2
    """Before the first respawn; doubled for each that follows soon."""
    respawn_limit: int = 5
    """Respawns in a row, after which an instance stays down until it is restarted by hand."""
    spares: int = 1
    """Processes kept ready, so that a restart does not wait for one to join the graph."""
    executor: str = "events"
    """Executor of the containers: events, single or multi."""
    log_level: str = ""
    """Log level of the containers: debug, info, warn, error, fatal; empty for ROS's default."""


DESCRIPTIONS = {
    "fail_fast": "one failing module takes down everything that is being built with it",
    "load_timeout": "seconds for importing a module's class and constructing it",
    "transition_timeout": "seconds for one lifecycle callback",
    "stop_timeout": "seconds for a module to stop before it is ended by force",
    "compile_timeout": "seconds for importing and planning a blueprint",
    "respawn": "bring modules back whose process died",
    "respawn_delay": "seconds before the first respawn, doubled for each that follows soon",
    "respawn_limit": "respawns in a row before an instance is left down",
    "spares": "processes kept ready for restarts",
    "executor": "executor of the containers: events, single or multi",
    "log_level": "log level of the modules: debug, info, warn, error or fatal",
}
