"""``Module``: a managed node whose class body declares its interface."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

from dimos_ros.blueprint.blueprint import Blueprint, of_module
from dimos_ros.declaration.declared import Declared
from dimos_ros.declaration.interface import Parameter
from dimos_ros.declaration.parameters import param
from dimos_ros.declaration.streams import In, Out
from dimos_ros.exceptions import DimosError, ModuleFailedError
from dimos_ros.naming.names import node_name_of

try:
    from rclpy.lifecycle import LifecycleNode, TransitionCallbackReturn
except ModuleNotFoundError as error:
    # Composing and checking blueprints works without ROS; only a node needs it.
    if (error.name or "").partition(".")[0] != "rclpy":
        raise
    LifecycleNode = object  # type: ignore[misc, assignment]
else:
    from dimos_ros.calls.proxy import Proxy
    from dimos_ros.calls.proxy import close as close_proxy
    from dimos_ros.calls.server import CallServer
    from dimos_ros.module import node_parameters
    from dimos_ros.module.streams import LiveIn, LiveOut, live_end
    from dimos_ros.ros.errors import Interrupted
    from dimos_ros.ros.node_options import Host, LoggingHost, current_host

STATES_AFTER = {
    "on_configure": ("inactive", "unconfigured"),
    "on_activate": ("active", "inactive"),
    "on_deactivate": ("inactive", "active"),
    "on_cleanup": ("unconfigured", "inactive"),
    "on_shutdown": ("finalized", "finalized"),
    "on_error": ("unconfigured", "finalized"),
}
"""The lifecycle state after each callback: if it succeeds, and if it fails."""


def _state_after(callback: str, result: Any) -> str:
    if result == TransitionCallbackReturn.ERROR and callback != "on_error":
        return "errorprocessing"  # rclpy calls on_error next, which decides the state
    succeeded, failed = STATES_AFTER[callback]
    return succeeded if result == TransitionCallbackReturn.SUCCESS else failed


class Module(Declared, LifecycleNode, is_base=True):
    """Base of all modules: a managed (lifecycle) node.

    The class body declares streams (``scan: In[LaserScan]``), parameters (``resolution: float = 0.1``), references
    (``localizer: Localizer | None``) and, with ``@rpc``, calls. Configuring a module creates the endpoints of its
    streams; they carry messages while it is active.

    ``on_configure`` and the other lifecycle callbacks are rclpy's, with two differences: returning None counts as
    success, and an exception is logged with its traceback. Raises DeclarationError when a class body declares
    something that cannot work.
    """

    frame_prefix: str = param("", description="prefix of every frame name, such as 'robot1/', for a shared TF tree")
    call_timeout: float = param(10.0, minimum=0.001, description="seconds that a call to another module may take")
    absent_timeout: float = param(
        1.0, minimum=0.0, description="seconds after which a call to a module that does not exist is an error"
    )

    @classmethod
    def blueprint(cls, name: str | None = None, **parameters: Any) -> Blueprint:
        """Return a blueprint of one instance with these parameters.

        ``name`` is its node name; the default is made from the class (``ScanReplay``: ``scan_replay``). Raises
        BlueprintError for an unknown parameter, a value that does not fit, or a name that ROS refuses.
        """
        return of_module(cls, name, parameters)

    # ------------------------------------------------------------------------------------------- the node

    def __init__(self, node_name: str | None = None, **options: Any) -> None:
        """Create the node. ``options`` are those of ``rclpy.node.Node``, which a container fills in."""
        if not hasattr(LifecycleNode, "destroy_node"):
            raise DimosError(f"{type(self).__name__} cannot run: rclpy is not installed (source the set-up of a ROS 2)")
        interface = type(self).interface()
        self._host: Host = current_host() or LoggingHost(self)
        self._active = False
        self._parameter_values: dict[str, Any] = {}
        for callback in STATES_AFTER:
            # rclpy registers the attributes of the instance as callbacks.
            setattr(self, callback, functools.partial(self._run_transition, callback, getattr(self, callback)))
        super().__init__(node_name or node_name_of(type(self).__name__), **options)

        node_parameters.declare(self, interface.parameters)
        targets = node_parameters.declare_references(self, interface.references)
        self._streams: dict[str, LiveIn[Any] | LiveOut[Any]] = {}
        for name, stream in interface.streams.items():
            self._streams[name] = live_end(self, stream)
            setattr(self, name, self._streams[name])
        self._proxies = []
        for name, target in targets.items():
            proxy = (
                Proxy.for_reference(self, interface.references[name], target, self._host.directory) if target else None
            )
            if proxy is not None:
                self._proxies.append(proxy)
            setattr(self, name, proxy)
        self._call_server = CallServer(self, self._host)

    @property
    def is_active(self) -> bool:
        """Whether the module is in lifecycle state active, in which its handlers are called."""
        return self._active

    def frame(self, name: str) -> str:
        """Return a TF frame's name with the parameter ``frame_prefix`` in front."""
        return f"{self.frame_prefix}{name}"

    def finish(self, summary: str = "") -> None:
        """Report that the whole fleet has done its job.

        The coordinator shows ``summary``, takes every module down in order and ends with exit code 0. Without a
        coordinator the summary is only logged.
        """
        self._host.finish(summary)

    def destroy_node(self) -> None:
        """Destroy the node with its streams, calls and references."""
        self._active = False
        for proxy in getattr(self, "_proxies", []):
            close_proxy(proxy)
        call_server = getattr(self, "_call_server", None)
        if call_server is not None:
            call_server.close()
        for end in getattr(self, "_streams", {}).values():
            end.destroy()
        super().destroy_node()

    # -------------------------------------------------------------------------------------------- lifecycle

    def _run_transition(self, name: str, callback: Callable[[Any], Any], state: Any) -> Any:
        """Run a lifecycle callback, and prepare and update the streams around it."""
        try:
            self._before(name)
            result = callback(state)
            result = TransitionCallbackReturn.SUCCESS if result is None else result
        except Interrupted:
            raise
        except BaseException as error:  # sys.exit() too: it fails the transition and must not end the process
            self._report(name, error)
            result = TransitionCallbackReturn.ERROR
        if result == TransitionCallbackReturn.FAILURE:
            self._report(name, ModuleFailedError("returned FAILURE"))
        self._enter(_state_after(name, result))
        return result

    def _before(self, name: str) -> None:
        """Prepare for a callback: ``on_configure`` finds the endpoints created, ``on_activate`` may publish."""
        if name == "on_configure":
            for end in self._streams.values():
                end.create()
        elif name == "on_activate":
            self._open(Out, True)
        elif name in ("on_deactivate", "on_shutdown"):
            self._active = False
            self._open(In, False)

    def _enter(self, state: str) -> None:
        """Open, close or destroy the streams for a lifecycle state, and report the state to the host."""
        self._active = state == "active"
        self._open(Out, self._active)
        self._open(In, self._active)
        if state not in ("active", "inactive"):
            for end in self._streams.values():
                end.destroy()
        self._host.state(state)

    def _open(self, kind: type, is_open: bool) -> None:
        for end in self._streams.values():
            if isinstance(end, kind):
                end.set_open(is_open)

    def _report(self, where: str, error: BaseException) -> None:
        """Report an exception of a callback to the host, which logs and counts it. The module goes on."""
        self._host.error(where, error)

    # ------------------------------------------------------------------------------------------- parameters

    def _set_parameter(self, parameter: Parameter, value: Any) -> None:
        node_parameters.assign(self, parameter, value)

    def _parameters_changed(self, changed: Mapping[str, Any]) -> None:
        self._parameter_values.update(changed)
