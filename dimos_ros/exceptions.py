"""Every error that dimos_ros raises on purpose.

All derive from :class:`DimosError`. Each also has the standard-library parent that fits, so that
``except LookupError`` or ``except TimeoutError`` catches what a reader expects.
"""

from __future__ import annotations


class DimosError(Exception):
    """Base of every error of this package.

    ``remote_traceback`` is the traceback in the process where it was raised, where that was another one; else "".
    """

    remote_traceback: str = ""


def message_of(error: BaseException) -> str:
    """Return an error's message, also where its own ``__str__`` raises."""
    try:
        return str(error)
    except Exception as other:
        return f"its message cannot be had: {type(other).__name__}"


class DeclarationError(DimosError, TypeError):
    """A module's class body declares something that cannot work."""


class BlueprintError(DimosError, ValueError):
    """A composition that cannot run: a bad name, an unmatched stream, a type conflict.

    ``instance`` names the instance at fault (``robot1/mapper``) if the error was found while planning; else it is
    empty.
    """

    instance: str = ""


class InvalidNameError(BlueprintError):
    """A name or namespace that ROS refuses."""


class FleetFileError(BlueprintError):
    """A fleet file that does not describe a fleet; the message starts with ``file:line:``."""


class SettingsError(DimosError, ValueError):
    """A setting of the coordinator that does not exist, or a value that it does not take."""


class ClassNotFoundError(DimosError, LookupError):
    """A module class that is not registered and cannot be imported."""


class LoadRefusedError(DimosError, ValueError):
    """A load request that a container refuses: a bad option, a name that is in use."""


class InstanceNotFoundError(DimosError, LookupError):
    """No running instance has the namespace, class or name that was asked for."""


class AmbiguousInstanceError(DimosError, LookupError):
    """Several running instances fit what was asked for; the message lists them."""


class ModuleFailedError(DimosError, RuntimeError):
    """A module could not be constructed, configured, activated or stopped."""


class BuildError(DimosError, RuntimeError):
    """Fewer instances came up than were planned; the message names each failed one."""


class ContainerDiedError(DimosError, ConnectionError):
    """The process that hosts a module ended."""


class CoordinatorStoppedError(DimosError, RuntimeError):
    """The coordinator is stopping or has stopped."""


class RequestTimeoutError(DimosError, TimeoutError):
    """A request from the coordinator to a container was not answered in time."""


class CallError(DimosError, RuntimeError):
    """Base of every error that a call to another module can end with."""


class RemoteError(CallError):
    """The called method raised.

    ``remote_type``, ``remote_message`` and ``remote_traceback`` are the remote exception's
    class name, message and formatted traceback.
    """

    def __init__(self, message: str, remote_type: str, remote_message: str, traceback: str) -> None:
        super().__init__(message)
        self.remote_type = remote_type
        self.remote_message = remote_message
        self.remote_traceback = traceback


class UnknownMethodError(CallError, AttributeError):
    """The called module has no such call; raised before anything is sent."""


class ArgumentError(CallError, TypeError):
    """Arguments or a result do not fit the method's type hints."""


class TargetNotFoundError(CallError, LookupError):
    """The instance that was called does not exist, or was unloaded."""


class TargetInactiveError(CallError):
    """The instance that was called exists but is not active."""


class TargetDiedError(CallError, ConnectionError):
    """The process of the instance that was called ended during the call."""


class CallTimeoutError(CallError, TimeoutError):
    """No reply came before the call's deadline."""
