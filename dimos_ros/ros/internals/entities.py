"""Wrapping the callbacks of a node's entities, both the present ones and the ones created later."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from rclpy.context import Context
from rclpy.node import Node

from dimos_ros.ros.internals.internal import Internal

Found = Callable[[str, Any], None]
"""``found(kind, entity)`` is called for each entity of a node."""

KINDS = {
    "subscription": ("create_subscription", "subscriptions"),
    "timer": ("create_timer", "timers"),
    "service": ("create_service", "services"),
    "guard condition": ("create_guard_condition", "guards"),
    "waitable": ("add_waitable", "waitables"),
}
"""Kinds of entity that have a callback. For each: the method of Node that adds one, the attribute that lists them."""


def watch_entities(node: Node, found: Found) -> None:
    """Call ``found(kind, entity)`` for each entity that ``node`` has, and for each new one when it is created."""
    for kind, (_, listed) in KINDS.items():
        for entity in list(getattr(node, listed)):
            found(kind, entity)
    for kind, (create, _) in KINDS.items():
        setattr(node, create, functools.partial(_create, found, kind, getattr(node, create)))


def unwatch_entities(node: Node) -> None:
    """Undo :func:`watch_entities` for new entities of a node."""
    for create, _ in KINDS.values():
        node.__dict__.pop(create, None)


def _create(found: Found, kind: str, create: Callable[..., Any], *args: Any, **options: Any) -> Any:
    entity = create(*args, **options)
    found(kind, args[0] if kind == "waitable" else entity)
    return entity


def callback_of(kind: str, entity: Any) -> Callable[..., Any] | None:
    """Return the function that an executor calls when the entity is ready."""
    return entity.execute if kind == "waitable" else entity.callback


def set_callback(kind: str, entity: Any, callback: Callable[..., Any]) -> None:
    """Replace the function that an executor calls when the entity is ready."""
    setattr(entity, "execute" if kind == "waitable" else "callback", callback)


def set_sender(service: Any, send: Callable[[Any, Any], None]) -> None:
    """Replace the sending of a service's responses: executors call ``send(response, header of the request)``."""
    service.send_response = send


def drop_callbacks(entity: Any) -> None:
    """Remove the callbacks that an entity keeps. It must not be used afterwards."""
    for attribute in ("callback", "_callback", "send_response", "execute"):
        entity.__dict__.pop(attribute, None)


def _probe(context: Context) -> str:
    from rcl_interfaces.msg import Log
    from rcl_interfaces.srv import ListParameters
    from rclpy.executors import SingleThreadedExecutor

    node = Node("probe", context=context, start_parameter_services=False, enable_rosout=False)
    executor = SingleThreadedExecutor(context=context)
    kinds: list[str] = []
    called: list[int] = []

    def found(kind: str, entity: Any) -> None:
        kinds.append(kind)
        if kind == "timer":
            set_callback(kind, entity, functools.partial(called.append, 1))

    try:
        watch_entities(node, found)
        entities = [
            node.create_subscription(Log, "~/probe", called.append, 1),
            node.create_service(ListParameters, "~/probe", lambda request, response: response),
            node.create_timer(0.001, lambda: called.append(2)),
        ]
        executor.add_node(node)
        executor.spin_once(timeout_sec=1.0)
        unwatch_entities(node)
        for entity in entities:
            drop_callbacks(entity)
            if callable(getattr(entity, "__dict__", {}).get("callback")):
                raise RuntimeError("an entity kept its callback")
        if set(kinds[-3:]) != {"subscription", "service", "timer"}:
            raise RuntimeError(f"a subscription, a service and a timer were created, but only these were seen: {kinds}")
        if called != [1]:
            raise RuntimeError("an executor did not call the replacement of a timer's callback")
    finally:
        executor.shutdown()
        node.destroy_node()
    return "new entities were seen, and an executor called the replacement of a callback"


INTERNAL = Internal(
    name="callbacks of a node",
    purpose="an error that a callback raises is reported, and ends neither the executor nor the other nodes",
    touches="create_* and add_waitable of a node; callback, execute and send_response of entities; all replaced",
    upstream="ros2/rclpy#1098",
    versions="7.1 and newer",
    fallback="",
    probe=_probe,
)
