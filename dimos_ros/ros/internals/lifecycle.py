"""The lifecycle state of a managed node. In public, rclpy gives it through a service only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rclpy.context import Context

from dimos_ros.ros.internals.internal import Internal

if TYPE_CHECKING:
    from rclpy.lifecycle import LifecycleNode


def lifecycle_state(node: LifecycleNode) -> tuple[int, str]:
    """Return the number and the label of a managed node's state, such as 1 and ``unconfigured``."""
    number, label = node._state_machine.current_state
    return int(number), str(label)


def _probe(context: Context) -> str:
    from rclpy.lifecycle import LifecycleNode  # imported late: the command line does not need it

    node = LifecycleNode(
        "probe",
        enable_communication_interface=False,
        context=context,
        start_parameter_services=False,
        enable_rosout=False,
    )
    try:
        states = [lifecycle_state(node)]
        node.trigger_configure()
        states.append(lifecycle_state(node))
    finally:
        node.destroy_node()
    if states != [(1, "unconfigured"), (2, "inactive")]:
        raise RuntimeError(f"a node that was configured had these states: {states}")
    return "a node that was configured went from unconfigured to inactive"


INTERNAL = Internal(
    name="lifecycle state",
    purpose="a container knows the state of its managed nodes without calling a service",
    touches="LifecycleNode._state_machine.current_state",
    upstream="",
    versions="7.1 and newer",
    fallback="",
    probe=_probe,
)
