"""rclpy's EventsExecutor: making one that is safe to use, and whether this rclpy has one that works."""

from __future__ import annotations

import threading
from typing import Any

from rclpy import task
from rclpy.context import Context

from dimos_ros.ros.internals.internal import Internal, NotNeededError

FOREVER = 1e8
"""Seconds, three years. Without a deadline, one that overflows makes the executor loop on a core with the interpreter
locked."""


class _Nobody:
    """A node without anything. With exactly one node, an EventsExecutor reads past a set of nodes when a task raises,
    and the process dies of a segmentation fault. Two of these keep it from ever having exactly one."""

    subscriptions = timers = clients = services = waitables = guards = ()

    def __setattr__(self, name: str, value: Any) -> None:
        """Nothing: a reference to the executor would make a cycle that is never collected."""


def make_events_executor(context: Context) -> Any:
    """An EventsExecutor in which a task may raise. Raises ImportError where this rclpy has none."""
    from rclpy.experimental import EventsExecutor

    executor: Any = EventsExecutor(context=context)
    for _ in range(2):
        executor.add_node(_Nobody())
    return executor


def events_executor_fault(context: Context) -> str:
    """What is wrong with this rclpy's EventsExecutor, as it is used here; "" where it works.

    With a deadline, one has to run what it was given before, and what another thread gives it while it waits.
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
    return "an EventsExecutor ran a task, and one that another thread gave it while it waited"


def _sound_or_not_needed(context: Context) -> None:
    fault = events_executor_fault(context)
    if fault:
        raise NotNeededError(f"the EventsExecutor is not used: {fault}")


def _probe_nobody(context: Context) -> str:
    _sound_or_not_needed(context)
    executor = make_events_executor(context)

    def fail() -> None:
        raise ValueError("raised on purpose, by a probe")

    executor.create_task(fail)
    try:
        executor.spin_once(timeout_sec=1.0)
    except ValueError:
        return "a task raised, and the process lived"
    finally:
        executor.shutdown()
    raise RuntimeError("what a task raised came out nowhere")


def _probe_forever(context: Context) -> str:
    _sound_or_not_needed(context)
    executor = make_events_executor(context)
    done: Any = task.Future()
    timer = threading.Timer(0.05, done.set_result, (None,))
    timer.start()
    # Where this deadline overflows, it returns at once.
    executor.spin_until_future_complete(done, FOREVER)
    was_done = done.done()
    timer.join()
    executor.shutdown()
    if not was_done:
        raise RuntimeError(f"a wait of {FOREVER:g} s ended at once")
    return f"a wait of {FOREVER:g} s lasted until another thread ended it"


_HAVE_IT = "those that have it, such as 7.1.5 and 9.1.2"

INTERNALS = (
    Internal(
        name="EventsExecutor",
        purpose="handling a message costs a third less",
        touches="rclpy.experimental.EventsExecutor",
        upstream="ros2/rclpy#1389",
        versions=_HAVE_IT,
        fallback='executor "single" is used in place of "events", and the log says so once',
        probe=_probe_sound,
    ),
    Internal(
        name="EventsExecutor with one node",
        purpose="a task that raises is reported, and does not end the process with a segmentation fault",
        touches="EventsExecutor.add_node, which takes objects that only look like nodes",
        upstream="ros2/rclpy#1641, ros2/rclpy#1718",
        versions="those before ros2/rclpy#1718, such as 7.1.5 and 9.1.2; harmless on later ones",
        fallback='none is needed where executor "single" is used',
        probe=_probe_nobody,
    ),
    Internal(
        name="EventsExecutor without end",
        purpose="an idle executor waits, instead of looping on a core with the interpreter locked",
        touches="spin_until_future_complete of EventsExecutor, always with a deadline",
        upstream="ros2/rclpy#1563",
        versions="those before ros2/rclpy#1563, such as 7.1.5 and 9.1.2; harmless on later ones",
        fallback='none is needed where executor "single" is used',
        probe=_probe_forever,
    ),
)
