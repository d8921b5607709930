"""``Module``: a managed node that declares what it is in its class body."""

from __future__ import annotations

import functools
import traceback
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from dimos_ros.blueprint.names import node_name_of
from dimos_ros.exceptions import DimosError, ModuleFailedError
from dimos_ros.module import declare
from dimos_ros.module.interface import Interface, Parameter
from dimos_ros.module.parameters import LiveParameter, param
from dimos_ros.module.rpc import methods_of
from dimos_ros.module.streams import In, Out

try:
    from rclpy.lifecycle import LifecycleNode, TransitionCallbackReturn
except ModuleNotFoundError as error:
    # Blueprints are composed and checked without ROS, too; only a node needs it.
    if (error.name or "").partition(".")[0] != "rclpy":
        raise
    LifecycleNode = object

if TYPE_CHECKING:
    from dimos_ros.blueprint.blueprint import Blueprint

STATES_AFTER = {
    "on_configure": ("inactive", "unconfigured"),
    "on_activate": ("active", "inactive"),
    "on_deactivate": ("inactive", "active"),
    "on_cleanup": ("unconfigured", "inactive"),
    "on_shutdown": ("finalized", "finalized"),
    "on_error": ("unconfigured", "finalized"),
}
"""Lifecycle state that a callback leads to when it succeeds, and when it fails."""


def _state_after(callback: str, result: Any) -> str:
    if result == TransitionCallbackReturn.ERROR and callback != "on_error":
        return "errorprocessing"  # rclpy calls on_error next, and that leads on
    succeeded, failed = STATES_AFTER[callback]
    return succeeded if result == TransitionCallbackReturn.SUCCESS else failed


def is_module(candidate: type) -> bool:
    """Whether a class is a Module."""
    return issubclass(candidate, Module)


class Module(LifecycleNode):
    """Base of all modules: a managed (lifecycle) node.

    The class body declares streams (``scan: In[LaserScan]``), parameters (``resolution: float =
    0.1``), references (``localizer: Localizer | None``) and, with ``@rpc``, calls. Endpoints of
    streams exist from configured on and carry messages while the module is active. ``on_configure``
    and the other lifecycle callbacks are rclpy's, except that returning None counts as success and
    that one that raises has its traceback logged.

    Raises DeclarationError when a class body declares something that cannot work.
    """

    dedicated: ClassVar[bool] = False
    """Whether each instance has a container, and so a process, of its own."""

    frame_prefix: str = param("", description="goes before every frame name, such as 'robot1/', for a shared TF tree")
    call_timeout: float = param(10.0, minimum=0.001, description="seconds that a call to another module may take")
    absent_timeout: float = param(
        1.0, minimum=0.0, description="seconds after which calling a module that is not there is an error"
    )

    _declarations: ClassVar[dict[str, Any]] = {}
    _interface: ClassVar[Interface | None] = None

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        _declare(cls)

    # ------------------------------------------------------------------------------------ the class as data

    @classmethod
    def interface(cls) -> Interface:
        """What the class and its bases declare. Raises DeclarationError for an annotation that still names
        something undefined."""
        if cls.__dict__.get("_interface") is None:
            found = cls._declarations
            for name, declared in list(found.items()):
                if isinstance(declared, declare.Unresolved):
                    found[name] = declare.resolve(cls, name, declared, is_module)
                    _put_parameter(cls, found[name])
            interface = declare.interface_of(found, methods_of(cls), cls.__name__)
            declare.check_handlers(cls, interface.streams)
            cls._interface = interface
        assert cls._interface is not None
        return cls._interface

    @classmethod
    def blueprint(cls, name: str | None = None, **parameters: Any) -> Blueprint:
        """A blueprint of one instance, with parameters set.

        ``name`` is its node name; without one the class gives it (``ScanReplay``: ``scan_replay``).
        Raises BlueprintError for an unknown parameter, a value of the wrong type, or a bad name.
        """
        from dimos_ros.blueprint.blueprint import of_module

        return of_module(cls, name, parameters)

    @classmethod
    def describe(cls) -> str:
        """The interface for people: streams, parameters, references, calls."""
        summary = (cls.__doc__ or "").strip().partition("\n")[0]
        return cls.interface().as_text(f"{cls.__name__} ({cls.__module__}:{cls.__qualname__})", summary)

    # ------------------------------------------------------------------------------------------- the node

    def __init__(self, node_name: str | None = None, **options: Any) -> None:
        """Options are those of ``rclpy.node.Node``; a container gives them by itself."""
        if LifecycleNode is object:
            raise DimosError(f"{type(self).__name__} cannot run: rclpy is not installed (source a ROS 2)")
        from dimos_ros.module import node_parameters
        from dimos_ros.module.call_server import CallServer
        from dimos_ros.module.proxy import Proxy
        from dimos_ros.ros.node_options import current_host

        interface = type(self).interface()
        self._host = current_host()
        self._errors = 0
        self._last_error = ""
        self._active = False
        self._parameter_values: dict[str, Any] = {}
        for callback in STATES_AFTER:
            # rclpy takes the callbacks as attributes of the instance.
            setattr(self, callback, functools.partial(self._run_transition, callback, getattr(self, callback)))
        super().__init__(node_name or node_name_of(type(self).__name__), **options)

        node_parameters.declare(self, interface.parameters)
        targets = node_parameters.declare_references(self, interface.references)
        self._streams: dict[str, In[Any] | Out[Any]] = {}
        for name, stream in interface.streams.items():
            end: In[Any] | Out[Any] = (In if stream.direction == "in" else Out)(stream.qos)
            end._bind(self, name, stream.message_type)
            self._streams[name] = end
            setattr(self, name, end)
        self._proxies = []
        for name, target in targets.items():
            proxy = Proxy.for_reference(self, interface.references[name], target) if target else None
            if proxy is not None:
                self._proxies.append(proxy)
            setattr(self, name, proxy)
        self._call_server = CallServer(self)

    @property
    def is_active(self) -> bool:
        """Whether the module is in lifecycle state active, its handlers being called."""
        return self._active

    def frame(self, name: str) -> str:
        """A TF frame's name with the parameter ``frame_prefix`` before it."""
        return f"{self.frame_prefix}{name}"

    def finish(self, summary: str = "") -> None:
        """Say that the job of the whole fleet is done.

        The coordinator shows ``summary``, brings everything down in order and ends with exit code 0.
        Where there is none, the summary is logged.
        """
        if self._host is not None:
            self._host.finish(summary)
        else:
            self.get_logger().info(f"finished: {summary}")

    def destroy_node(self) -> None:
        """Destroy the node, its streams and calls included."""
        from dimos_ros.module.proxy import close as close_proxy

        self._active = False
        for proxy in getattr(self, "_proxies", []):
            close_proxy(proxy)
        call_server = getattr(self, "_call_server", None)
        if call_server is not None:
            call_server.close()
        for end in getattr(self, "_streams", {}).values():
            end._destroy()
        super().destroy_node()

    # -------------------------------------------------------------------------------------------- lifecycle

    def _run_transition(self, name: str, callback: Callable[[Any], Any], state: Any) -> Any:
        """One of rclpy's callbacks, with what the streams need around it."""
        try:
            self._before(name)
            result = callback(state)
            result = TransitionCallbackReturn.SUCCESS if result is None else result
        except Exception as error:
            self._count_error(name, error)
            result = TransitionCallbackReturn.ERROR
        if result == TransitionCallbackReturn.FAILURE:
            self._last_error = f"{name}: returned FAILURE"
            if self._host is not None:
                self._host.error(name, ModuleFailedError(self._last_error))
        self._enter(_state_after(name, result))
        return result

    def _before(self, name: str) -> None:
        """What a transition's callback may count on: endpoints to configure, publishers to activate."""
        if name == "on_configure":
            for end in self._streams.values():
                end._create()
        elif name == "on_activate":
            self._open(Out, True)
        elif name in ("on_deactivate", "on_shutdown"):
            self._active = False
            self._open(In, False)

    def _enter(self, state: str) -> None:
        """Bring the streams to what a lifecycle state means for them, and tell the host."""
        self._active = state == "active"
        self._open(Out, self._active)
        self._open(In, self._active)
        if state not in ("active", "inactive"):
            for end in self._streams.values():
                end._destroy()
        if self._host is not None:
            self._host.state(state)

    def _open(self, kind: type, is_open: bool) -> None:
        for end in self._streams.values():
            if isinstance(end, kind):
                end._set_open(is_open)

    def _count_error(self, where: str, error: BaseException) -> None:
        """Log what a callback raised, with its name, and count it; the module goes on."""
        self._errors += 1
        self._last_error = f"{where}: {type(error).__name__}: {error}"
        text = "".join(traceback.format_exception(type(error), error, error.__traceback__))
        self.get_logger().error(f"{where} raised {type(error).__name__}: {error}\n{text}")
        if self._host is not None:
            self._host.error(where, error)

    # ------------------------------------------------------------------------------------------- parameters

    def _set_parameter(self, parameter: Parameter, value: Any) -> None:
        from dimos_ros.module import node_parameters

        node_parameters.assign(self, parameter, value)

    def _parameters_changed(self, changed: Mapping[str, Any]) -> None:
        self._parameter_values.update(changed)


def _put_parameter(cls: type, declared: Any) -> None:
    if isinstance(declared, Parameter):
        setattr(cls, declared.name, LiveParameter(declared))


def _declare(cls: type[Module]) -> None:
    """Read a class body and add what its bases declare."""
    inherited: dict[str, Any] = {}
    for base in reversed(cls.__mro__[1:]):
        inherited.update(base.__dict__.get("_declarations", {}))
    own = declare.read_class_body(cls, is_module)
    own.update(declare.redefined(cls, inherited, own))
    cls._declarations = {**inherited, **own}
    cls._interface = None
    for declared in own.values():
        _put_parameter(cls, declared)
    # What can be checked at once is: a wrong class is then an error where it is written.
    if not any(isinstance(declared, declare.Unresolved) for declared in cls._declarations.values()):
        cls.interface()


_declare(Module)
