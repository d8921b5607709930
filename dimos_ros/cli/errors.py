"""What a command ends with when it does not succeed."""

from __future__ import annotations

from enum import IntEnum

from dimos_ros.exceptions import DimosError


class ExitCode(IntEnum):
    """Exit codes of every verb; 130 besides, for Ctrl-C."""

    OK = 0
    REFUSED = 1
    """Understood and answered with no: by the coordinator, by a module, or by what was to be compiled."""
    USAGE = 2
    """The command line makes no sense; nothing was sent to the coordinator or to a module."""
    UNREACHABLE = 3
    """There is no coordinator or no reply in time: the outcome of the request is not known."""


EXIT_CODES = """exit codes:
  0  done
  1  refused: the coordinator, a module or the blueprint says no; the message says why
  2  the command line makes no sense
  3  no coordinator, no reply in time, or no ROS 2 sourced
  130  interrupted"""


class CommandError(DimosError):
    """Ends a command: the message is for people, the code for scripts."""

    def __init__(self, message: str, code: ExitCode = ExitCode.REFUSED) -> None:
        super().__init__(message)
        self.code = code


class UsageError(CommandError):
    """What was typed makes no sense."""

    def __init__(self, message: str) -> None:
        super().__init__(message, ExitCode.USAGE)


class UnreachableError(CommandError):
    """The coordinator or the module is not there, or did not reply in time."""

    def __init__(self, message: str) -> None:
        super().__init__(message, ExitCode.UNREACHABLE)
