"""The lifecycle of a managed node: its state, and transitions that the container's owner asks for."""

from __future__ import annotations

from lifecycle_msgs.msg import State
from rclpy.lifecycle import LifecycleNode, TransitionCallbackReturn
from rclpy.node import Node

from dimos_ros.exceptions import ModuleFailedError
from dimos_ros.ros.internals import lifecycle_state


def state_of(node: Node | None) -> str:
    """Return the label of a node's lifecycle state; "unmanaged" for a plain node, "unloaded" for None."""
    if isinstance(node, LifecycleNode):
        return lifecycle_state(node)[1]
    return "unmanaged" if node is not None else "unloaded"


def is_managed(node: Node | None) -> bool:
    """Return whether a node is a managed (lifecycle) node."""
    return isinstance(node, LifecycleNode)


def trigger(node: Node, transition: str) -> None:
    """Run a transition, such as ``configure``, in the calling thread.

    Raises ModuleFailedError if the node's callback does not return SUCCESS, or the state does not allow the transition.
    """
    before = state_of(node)
    try:
        result = getattr(node, f"trigger_{transition}")()
    except Exception as error:
        raise ModuleFailedError(f"cannot {transition} while {before}: {error}") from error
    if result != TransitionCallbackReturn.SUCCESS:
        raise ModuleFailedError(f"on_{transition} returned {result.name}")


def deactivate(node: Node) -> list[str]:
    """Take a managed node to unconfigured, as far as its callbacks allow. Return the problems on the way."""
    problems = []
    for state, name in ((State.PRIMARY_STATE_ACTIVE, "deactivate"), (State.PRIMARY_STATE_INACTIVE, "cleanup")):
        if not isinstance(node, LifecycleNode) or lifecycle_state(node)[0] != state:
            continue
        try:
            result = getattr(node, f"trigger_{name}")()
        except Exception as error:
            problems.append(f"{name}: {type(error).__name__}: {error}")
        else:
            if result != TransitionCallbackReturn.SUCCESS:
                problems.append(f"{name}: {result.name}")
    return problems
