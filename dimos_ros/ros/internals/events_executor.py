"""rclpy's EventsExecutor: making one that is safe to use, and checking that this rclpy has one that works."""

from __future__ import annotations

import threading
from typing import Any

from rclpy import task
from rclpy.context import Context

from dimos_ros.ros.internals.internal import Internal, NotNeededError

FOREVER = 1e8
"""Seconds of a wait without end: three years. If no deadline is given, rclpy's own overflows, and the executor loops on
a core with the interpreter locked."""


class _EmptyNode:
    """A stand-in for a node, without any entities.

    If an EventsExecutor has exactly one node and a task raises, it reads past the end of its set of nodes, and the
    process ends with a segmentation fault. With two stand-ins it never has exactly one node.
    """

    subscriptions = timers = clients = services = waitables = guards = ()

    def __setattr__(self, name: str, value: Any) -> None:
        """Do nothing: a reference to the executor would make a cycle that is never collected."""


def make_events_executor(context: Context) -> Any:
    """Return an EventsExecutor in which a task may raise. Raises ImportError if this rclpy has no EventsExecutor."""
    from rclpy.experimental import EventsExecutor

    executor: Any = EventsExecutor(context=context)
    for _ in range(2):
        executor.add_node(_EmptyNode())
    return executor


def events_executor_fault(context: Context) -> str:
    """Return the reason why this rclpy's EventsExecutor cannot be used; "" if it works.

    Until its deadline, it must run a task that was given before, and a task that another thread gives while it waits.
    """
    try:
        executor = make_events_executor(context)
    except (ImportError, AttributeError) as error:
        return f"this rclpy has no EventsExecutor ({error})"
    ran: list[int] = []
    executor.create_task(ran.append, 1)
    executor.spin_once(timeout_sec=1.0)
    woken: Any = task.Future()

    def wake() -> None:
        ran.append(2)
        woken.set_result(None)

    waker = threading.Thread(target=executor.create_task, args=(wake,), daemon=True)
    waker.start()
    executor.spin_until_future_complete(woken, 1.0)
    waker.join()
    executor.shutdown()
    return "" if ran == [1, 2] else f"this rclpy's EventsExecutor ran {len(ran)} of 2 tasks within a second"


def _probe_sound(context: Context) -> str:
    fault = events_executor_fault(context)
    if fault:
        raise NotNeededError(fault)
    return "an EventsExecutor ran a task, and a second one that another thread gave it while it waited"


def _sound_or_not_needed(context: Context) -> None:
    fault = events_executor_fault(context)
    if fault:
        raise NotNeededError(f"the EventsExecutor is not used: {fault}")


def _probe_one_node(context: Context) -> str:
    _sound_or_not_needed(context)
    executor = make_events_executor(context)

    def fail() -> None:
        raise ValueError("raised on purpose, by a probe")

    executor.create_task(fail)
    try:
        executor.spin_once(timeout_sec=1.0)
    except ValueError:
        return "a task raised, and the process went on"
    finally:
        executor.shutdown()
    raise RuntimeError("an error that a task raised was lost")


def _probe_forever(context: Context) -> str:
    _sound_or_not_needed(context)
    executor = make_events_executor(context)
    done: Any = task.Future()
    timer = threading.Timer(0.05, done.set_result, (None,))
    timer.start()
    # If this deadline overflows, the executor returns at once.
    executor.spin_until_future_complete(done, FOREVER)
    was_done = done.done()
    timer.join()
    executor.shutdown()
    if not was_done:
        raise RuntimeError(f"a wait of {FOREVER:g} s ended at once")
    return f"a wait of {FOREVER:g} s lasted until another thread ended it"


_HAVE_IT = "all that have an EventsExecutor, such as 7.1.5 and 9.1.2"

INTERNALS = (
    Internal(
        name="EventsExecutor",
        purpose="each message costs a third less time to handle",
        touches="rclpy.experimental.EventsExecutor",
        upstream="ros2/rclpy#1389",
        versions=_HAVE_IT,
        fallback='the executor "single" replaces "events", and the log says so once',
        probe=_probe_sound,
    ),
    Internal(
        name="EventsExecutor with one node",
        purpose="an error that a task raises is reported, instead of ending the process with a segmentation fault",
        touches="EventsExecutor.add_node, which also takes objects that are not nodes but have their attributes",
        upstream="ros2/rclpy#1641, ros2/rclpy#1718",
        versions="before ros2/rclpy#1718, such as 7.1.5 and 9.1.2; harmless later",
        fallback='none is needed: the executor "single" is used',
        probe=_probe_one_node,
    ),
    Internal(
        name="EventsExecutor without end",
        purpose="an idle executor waits, instead of looping on a core with the interpreter locked",
        touches="EventsExecutor.spin_until_future_complete, always called with a deadline",
        upstream="ros2/rclpy#1563",
        versions="before ros2/rclpy#1563, such as 7.1.5 and 9.1.2; harmless later",
        fallback='none is needed: the executor "single" is used',
        probe=_probe_forever,
    ),
)
