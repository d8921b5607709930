"""Handles of a service or a client that a thread can wait on by itself, without an executor.

rclpy's ``Client.call`` waits until an executor delivers the answer, and only an executor serves its services. So
:mod:`dimos_ros.ros.service_caller` and :mod:`dimos_ros.ros.concurrent_service` use the compiled part of rclpy directly.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rclpy.context import Context
from rclpy.impl.implementation_singleton import rclpy_implementation as _rclpy
from rclpy.node import Node
from rclpy.qos import QoSProfile, qos_profile_services_default
from rclpy.type_support import check_is_valid_srv_type

from dimos_ros.ros.internals.internal import Internal

RclError: type[Exception] = _rclpy.RCLError
"""The error that rclpy raises when rcl fails. rclpy does not export it in public."""


def context_handle(context: Context) -> Any:
    """Return the rcl handle of a context. Raises RuntimeError for a context that is not initialized."""
    if context.handle is None:
        raise RuntimeError("the context is not initialized; call its init() first")
    return context.handle


class _WaitHandle:
    """An entity of a node that a thread can wait on until it is ready or :meth:`wake` is called.

    It holds a guard condition and a wait set as well. All three stay in use until :meth:`release`, not only during a
    wait, so that none is destroyed while a thread waits.
    """

    def __init__(self, node: Any, is_service: bool, make: Callable[[], Any]) -> None:
        context = context_handle(node.context)
        with node.handle, context:
            self.entity: Any = make()
            """rclpy's own object for the service or client."""
            self._guard: Any = _rclpy.GuardCondition(context)
            self._wait_set: Any = _rclpy.WaitSet(0, 1, 0, int(not is_service), int(is_service), 0, context)
        self._kind = "service" if is_service else "client"
        self._add = self._wait_set.add_service if is_service else self._wait_set.add_client
        self._used: tuple[Any, ...] = (self.entity, self._guard, self._wait_set)
        for handle in self._used:
            handle.__enter__()

    def wait(self, nanoseconds: int = -1) -> bool:
        """Wait until the entity is ready. Return whether it is. -1 waits without end.

        Only one thread may wait at a time. Raises RclError when the middleware fails to wait.
        """
        wait_set = self._wait_set
        wait_set.clear_entities()
        index = self._add(self.entity)
        wait_set.add_guard_condition(self._guard)
        wait_set.wait(nanoseconds)
        return bool(wait_set.is_ready(self._kind, index))

    def wake(self) -> None:
        """End a wait. Raises InvalidHandle after :meth:`release`."""
        with self._guard:
            self._guard.trigger_guard_condition()

    def release(self) -> None:
        """Destroy the handles. No thread may be waiting. Only the first call has an effect."""
        used, self._used = self._used, ()
        for handle in used:
            handle.__exit__(None, None, None)
            handle.destroy_when_not_in_use()


class ServiceHandle(_WaitHandle):
    """A service of a node. ``name`` is resolved as for any service."""

    def __init__(self, node: Any, srv_type: Any, name: str, qos: QoSProfile) -> None:
        check_is_valid_srv_type(srv_type)
        self._request_type = srv_type.Request
        super().__init__(node, True, lambda: _rclpy.Service(node.handle, srv_type, name, qos.get_c_qos_profile()))
        self.name = str(self.entity.name)
        """The full service name."""

    def take(self) -> tuple[Any, Any]:
        """Take a request and return it with its header; None and None if there is none.

        Raises the error of converting the request.
        """
        request, header = self.entity.service_take_request(self._request_type)
        return request, header


class ClientHandle(_WaitHandle):
    """A client of a node. ``name`` is resolved as for any client."""

    def __init__(self, node: Any, srv_type: Any, name: str, qos: QoSProfile) -> None:
        check_is_valid_srv_type(srv_type)
        self._response_type = srv_type.Response
        super().__init__(node, False, lambda: _rclpy.Client(node.handle, srv_type, name, qos.get_c_qos_profile()))
        self.name = str(self.entity.service_name)
        """The full service name."""

    def has_server(self) -> bool:
        """Return whether the graph has a server now. Raises RclError if the context was shut down."""
        return bool(self.entity.service_server_is_available())

    def send(self, request: Any) -> int:
        """Send a request and return its sequence number."""
        return int(self.entity.send_request(request))

    def take(self) -> tuple[int | None, Any]:
        """Take a response and return its sequence number and the response; None and None if there is none.

        Raises RclError, or the error of converting the response.
        """
        header, response = self.entity.take_response(self._response_type)
        return (None, None) if header is None else (header.request_id.sequence_number, response)


def _probe(context: Context) -> str:
    from rcl_interfaces.srv import ListParameters

    node = Node("probe", context=context, start_parameter_services=False, enable_rosout=False)
    service = ServiceHandle(node, ListParameters, "~/probe", qos_profile_services_default)
    client = ClientHandle(node, ListParameters, service.name, qos_profile_services_default)
    try:
        service.wake()
        if service.wait(1_000_000_000):
            raise RuntimeError("a wait that was woken reported a request, but none was sent")
        client.has_server()
        sequence = client.send(ListParameters.Request(depth=7))
        if not service.wait(5_000_000_000):
            raise RuntimeError("a request did not arrive within 5 s")
        request, header = service.take()
        if request.depth != 7 or header.request_id.sequence_number != sequence:
            raise RuntimeError(f"a request arrived changed: {request}, {header}")
    finally:
        client.release()
        service.release()
        node.destroy_node()
    return "a thread waited on a service, was woken, and got a request"


INTERNAL = Internal(
    name="waiting on a service or client",
    purpose="calls between modules do not wait for an executor, so that they work inside callbacks",
    touches="rclpy_implementation: Service, Client, GuardCondition, WaitSet, RCLError",
    upstream="ros2/rclpy#883",
    versions="7.1 and newer",
    fallback="",
    probe=_probe,
)
