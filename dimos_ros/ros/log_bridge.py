"""Python's log of this package, shown as ROS shows its own: on the console, in the log file, on /rosout."""

from __future__ import annotations

import logging

from rclpy.logging import LoggingSeverity, get_logger

PACKAGE = "dimos_ros"


class _RosHandler(logging.Handler):
    """Passes records on to the rclpy logger of a name, whose level decides what is shown."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._logger = get_logger(name)

    def emit(self, record: logging.LogRecord) -> None:
        """Log a record. rclpy ties a level to the line that logs, so each level has its own."""
        if not self._logger.is_enabled_for(LoggingSeverity(min(record.levelno // 10 * 10, 50))):
            return
        text = self.format(record)
        if record.levelno >= logging.CRITICAL:
            self._logger.fatal(text)
        elif record.levelno >= logging.ERROR:
            self._logger.error(text)
        elif record.levelno >= logging.WARNING:
            self._logger.warning(text)
        elif record.levelno >= logging.INFO:
            self._logger.info(text)
        else:
            self._logger.debug(text)


def log_to_ros(name: str) -> None:
    """Have this package's log appear under an rclpy logger of that name, in the process that calls.

    The level is the one that the rclpy logger has now. What it does not show is not even made into a record.
    """
    logger = logging.getLogger(PACKAGE)
    for handler in list(logger.handlers):
        if isinstance(handler, _RosHandler):
            logger.removeHandler(handler)
    logger.addHandler(_RosHandler(name))
    logger.setLevel(int(get_logger(name).get_effective_level()))
    logger.propagate = False
