"""The errors of a command, and its exit codes."""

from __future__ import annotations

from enum import IntEnum

from dimos_ros.exceptions import DimosError


class ExitCode(IntEnum):
    """Exit code of a verb. Ctrl-C ends a verb with 130."""

    OK = 0
    REFUSED = 1
    """The coordinator, a module or the planning of a blueprint refused the request."""
    USAGE = 2
    """The command line is wrong; nothing was sent to the coordinator or to a module."""
    UNREACHABLE = 3
    """The coordinator is absent or did not reply in time; then the outcome of the request is not known."""


EXIT_CODES = """exit codes:
  0  done
  1  refused by the coordinator, by a module or by the blueprint; the message says why
  2  the command line is wrong
  3  no coordinator found, no reply in time, or ROS 2 not sourced
  130  interrupted"""


class CommandError(DimosError):
    """Error that ends a command: its message is for people, its exit code for scripts."""

    def __init__(self, message: str, code: ExitCode = ExitCode.REFUSED) -> None:
        super().__init__(message)
        self.code = code


class UsageError(CommandError):
    """Error of a wrong command line."""

    def __init__(self, message: str) -> None:
        super().__init__(message, ExitCode.USAGE)


class UnreachableError(CommandError):
    """Error of a coordinator or module that is absent or did not reply in time."""

    def __init__(self, message: str) -> None:
        super().__init__(message, ExitCode.UNREACHABLE)
