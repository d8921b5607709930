"""``Module``: a managed node that declares what it is in its class body."""

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
    # Blueprints are composed and checked without ROS, too; only a node needs it.
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
"""Lifecycle state that a callback leads to when it succeeds, and when it fails."""


def _state_after(callback: str, result: Any) -> str:
    if result == TransitionCallbackReturn.ERROR and callback != "on_error":
        return "errorprocessing"  # rclpy calls on_error next, and that leads on
    succeeded, failed = STATES_AFTER[callback]
    return succeeded if result == TransitionCallbackReturn.SUCCESS else failed


class Module(Declared, LifecycleNode, is_base=True):
    """Base of all modules: a managed (lifecycle) node.

    The class body declares streams (``scan: In[LaserScan]``), parameters (``resolution: float =
    0.1``), references (``localizer: Localizer | None``) and, with ``@rpc``, calls. Endpoints of
    streams exist from configured on and carry messages while the module is active. ``on_configure``
    and the other lifecycle callbacks are rclpy's, except that returning None counts as success and
    that one that raises has its traceback logged.

    Raises DeclarationError when a class body declares something that cannot work.
    """

    frame_prefix: str = param("", description="goes before every frame name, such as 'robot1/', for a shared TF tree")
    call_timeout: float = param(10.0, minimum=0.001, description="seconds that a call to another module may take")
    absent_timeout: float = param(
        1.0, minimum=0.0, description="seconds after which calling a module that is not there is an error"
    )

    @classmethod
    def blueprint(cls, name: str | None = None, **parameters: Any) -> Blueprint:
        """A blueprint of one instance, with parameters set.

        ``name`` is its node name; without one the class gives it (``ScanReplay``: ``scan_replay``).
        Raises BlueprintError for an unknown parameter, a value of the wrong type, or a bad name.
        """
        return of_module(cls, name, parameters)

    # ------------------------------------------------------------------------------------------- the node

    def __init__(self, node_name: str | None = None, **options: Any) -> None:
        """Options are those of ``rclpy.node.Node``; a container gives them by itself."""
        if not hasattr(LifecycleNode, "destroy_node"):
            raise DimosError(f"{type(self).__name__} cannot run: rclpy is not installed (source a ROS 2)")
        interface = type(self).interface()
        self._host: Host = current_host() or LoggingHost(self)
        self._active = False
        self._parameter_values: dict[str, Any] = {}
        for callback in STATES_AFTER:
            # rclpy takes the callbacks as attributes of the instance.
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
        self._host.finish(summary)

    def destroy_node(self) -> None:
        """Destroy the node, its streams and calls included."""
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
        """One of rclpy's callbacks, with what the streams need around it."""
        try:
            self._before(name)
            result = callback(state)
            result = TransitionCallbackReturn.SUCCESS if result is None else result
        except (KeyboardInterrupt, Interrupted):
            raise
        except BaseException as error:  # sys.exit() too: it ends a transition, not the process
            self._report(name, error)
            result = TransitionCallbackReturn.ERROR
        if result == TransitionCallbackReturn.FAILURE:
            self._report(name, ModuleFailedError("returned FAILURE"))
        self._enter(_state_after(name, result))
        return result

    def _before(self, name: str) -> None:
        """What a transition's callback may count on: endpoints to configure, publishers to activate."""
        if name == "on_configure":
            for end in self._streams.values():
                end.create()
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
                end.destroy()
        self._host.state(state)

    def _open(self, kind: type, is_open: bool) -> None:
        for end in self._streams.values():
            if isinstance(end, kind):
                end.set_open(is_open)

    def _report(self, where: str, error: BaseException) -> None:
        """Tell the host what a callback raised; it logs and counts that. The module goes on."""
        self._host.error(where, error)

    # ------------------------------------------------------------------------------------------- parameters

    def _set_parameter(self, parameter: Parameter, value: Any) -> None:
        node_parameters.assign(self, parameter, value)

    def _parameters_changed(self, changed: Mapping[str, Any]) -> None:
        self._parameter_values.update(changed)
