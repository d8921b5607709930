"""The bridge from this package's Python log to ROS, which shows it on the console, in the log file and on /rosout."""

from __future__ import annotations

import logging

from rclpy.logging import LoggingSeverity, get_logger

PACKAGE = "dimos_ros"


class _RosHandler(logging.Handler):
    """A handler that passes records to the rclpy logger ``name``. That logger's level decides which are shown."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._logger = get_logger(name)

    def emit(self, record: logging.LogRecord) -> None:
        """Log a record. rclpy allows one level per line of code that logs, so each level has its own line."""
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
    """Show this package's log under the rclpy logger ``name``, for the calling process.

    The level is the one that the rclpy logger has now. Messages below it do not even become records.
    """
    logger = logging.getLogger(PACKAGE)
    for handler in list(logger.handlers):
        if isinstance(handler, _RosHandler):
            logger.removeHandler(handler)
    logger.addHandler(_RosHandler(name))
    logger.setLevel(int(get_logger(name).get_effective_level()))
    logger.propagate = False
