"""Checks of the streams that share a topic: message types, qualities of service, topics that ROS defines."""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Iterable

from dimos_ros.blueprint.error_context import about
from dimos_ros.blueprint.instance import Instance, PlannedStream
from dimos_ros.declaration.message_types import message_class
from dimos_ros.exceptions import BlueprintError, DeclarationError

STANDARD_TOPICS = {
    "/clock": "rosgraph_msgs/msg/Clock",
    "/parameter_events": "rcl_interfaces/msg/ParameterEvent",
    "/rosout": "rcl_interfaces/msg/Log",
    "/tf": "tf2_msgs/msg/TFMessage",
    "/tf_static": "tf2_msgs/msg/TFMessage",
}
"""Topics that have one type everywhere in ROS."""

_End = tuple[Instance, PlannedStream]


def check_streams(new: Iterable[Instance], running: Iterable[Instance] = ()) -> None:
    """Raise BlueprintError if streams on one topic cannot talk to each other, or if a message type does not exist.

    Topics that no new instance uses are skipped.
    """
    new = tuple(new)
    topics: dict[str, list[_End]] = {}
    for instance in new:
        for stream in instance.streams:
            topics.setdefault(stream.topic, []).append((instance, stream))
    for instance in running:
        for stream in instance.streams:
            if stream.topic in topics:
                topics[stream.topic].append((instance, stream))
    standard = dict(STANDARD_TOPICS)
    for space in {instance.key.namespace for instance in new}:
        if space:
            standard.update({f"/{space}/{name}": STANDARD_TOPICS[f"/{name}"] for name in ("tf", "tf_static")})
    for topic, ends in topics.items():
        instance, stream = ends[0]
        fault = message_type_fault(stream.message_type)
        with about(instance.key):
            if fault:
                raise BlueprintError(f"{instance}: stream {stream.name!r}: {fault}")
        _check_types(topic, ends, standard.get(topic))
        _check_qos(topic, ends)


def _check_types(topic: str, ends: list[_End], standard: str | None) -> None:
    first_instance, first = ends[0]
    for instance, stream in ends:
        if standard in (None, stream.message_type) and stream.message_type == first.message_type:
            continue
        with about(instance.key):
            if standard not in (None, stream.message_type):
                raise BlueprintError(
                    f"{instance}: stream {stream.name!r} carries {stream.message_type} on {topic}, which in ROS "
                    f"carries {standard}; {_advice(instance, stream)}"
                )
            raise BlueprintError(
                f"two types meet on topic {topic}: {_end(first_instance, first)} is {first.message_type}, "
                f"{_end(instance, stream)} is {stream.message_type}; {_advice(instance, stream)}"
            )


def _check_qos(topic: str, ends: list[_End]) -> None:
    # Compare qualities of service, not streams: a thousand robots may share a topic, with a few QoS among them.
    offered = {stream.qos: (instance, stream) for instance, stream in reversed(ends) if stream.direction == "out"}
    wanted = {stream.qos: (instance, stream) for instance, stream in reversed(ends) if stream.direction == "in"}
    for reader, read in wanted.values():
        for writer, written in offered.values():
            if read.qos.accepts(written.qos):
                continue
            lacks = "reliable" if read.qos.reliable and not written.qos.reliable else "latched"
            with about(reader.key):
                raise BlueprintError(
                    f"nothing would arrive on topic {topic}: {_end(reader, read)} asks for {lacks} ({read.qos}), "
                    f"{_end(writer, written)} offers {written.qos}; declare the In with QoS({lacks}=False) or the Out "
                    f"with QoS({lacks}=True)"
                )


def _end(instance: Instance, stream: PlannedStream) -> str:
    return f"{'In' if stream.direction == 'in' else 'Out'} {stream.name!r} of {instance}"


def _advice(instance: Instance, stream: PlannedStream) -> str:
    other = f"another_{stream.name}"
    return f"move one to another topic: .remappings([({instance.key.name!r}, {stream.name!r}, {other!r})])"


@functools.cache
def message_type_fault(message_type: str) -> str | None:
    """Return why a message type cannot be used; None if it exists, or if ROS is not installed."""
    if importlib.util.find_spec("rclpy") is None:
        return None
    if message_type.count("/") != 2:
        return (
            f"the message type {message_type} is not imported where the class is defined; an import under "
            "TYPE_CHECKING is not enough"
        )
    try:
        found = message_class(message_type)
    except DeclarationError as error:
        return str(error)
    if not hasattr(found, "get_fields_and_field_types"):
        return f"{message_type} is not a message type"
    return None
