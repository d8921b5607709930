"""Restart of one module of a running robot, and the gap that a subscriber notices."""

from __future__ import annotations

import contextlib
import itertools
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from dimos_interfaces.srv import RestartModule
from rclpy.context import Context
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from std_msgs.msg import String

from bench.domain import own_domain
from bench.events import BOUND, Events, listen
from bench.figures import Goal, Result
from bench.fleet import FleetCommand
from bench.processes import end
from bench.rivals import Rival
from bench.scale import Scale

PERIOD = 0.01
PAUSE = 1.0
"""Seconds between restarts. An operator is not faster."""


def run(scale: Scale) -> Result:
    """Restart a module that publishes every 10 ms by a service call, and a process with the same node."""
    result = Result("restart", "Restart of one module", "the process of a plain node interrupted and started again")
    ours, ours_gap, rival, rival_gap = [], [], [], []
    with own_domain(), listen() as events, FleetCommand("bench.modules:fast_robot", 2) as fleet:
        fleet.wait_until_up()
        with listener() as node, _plain(events) as plain:
            for _ in range(scale.pick(15, 3, 1)):
                taken, gap = node.watch("/robot1/ticks", node.restart)
                ours.append(taken * 1e3)
                ours_gap.append((gap - PERIOD) * 1e3)
                taken, gap = node.watch("/plain/ticks", plain.restart)
                rival.append(taken * 1e3)
                rival_gap.append((gap - PERIOD) * 1e3)
    result.add("call to active again", "ms", ours, rival, Goal("value", 150.0))
    result.add("gap in its stream beyond the period", "ms", ours_gap, rival_gap, Goal("value", 100.0))
    result.notes.append("The source is read again from disk. The listener is a plain rclpy node in another process.")
    return result


class Listener(Node):
    """A node that notes when messages arrive, and requests restarts."""

    def __init__(self, context: Context) -> None:
        super().__init__("listener", context=context)
        self.came: dict[str, list[float]] = {"/robot1/ticks": [], "/plain/ticks": []}
        for topic, times in self.came.items():
            self.create_subscription(String, topic, lambda _, times=times: times.append(time.monotonic()), 10)
        self._restart = self.create_client(RestartModule, "/coordinator/restart_module")

    def restart(self) -> None:
        """Restart robot1's source through the coordinator's service."""
        assert self._restart.wait_for_service(BOUND)
        done = threading.Event()
        future = self._restart.call_async(RestartModule.Request(node_namespace="robot1", class_name="Source"))
        future.add_done_callback(lambda _: done.set())
        assert done.wait(BOUND)
        answer: Any = future.result()
        assert answer.success, answer.message

    def watch(self, topic: str, act: Callable[[], object]) -> tuple[float, float]:
        """Call ``act``. Return its seconds, and the longest time without a message of a topic around the call."""
        times = self.came[topic]
        _wait_for(lambda: times and times[-1] > time.monotonic() - 5 * PERIOD)
        time.sleep(PAUSE)
        times.clear()
        _wait_for(lambda: len(times) > 5)
        started = time.monotonic()
        act()
        ended = time.monotonic()
        # The new instance is heard for a while.
        _wait_for(lambda: sum(at > ended for at in list(times)) > 20)
        heard = list(times)
        return ended - started, max(b - a for a, b in itertools.pairwise(heard))


class Plain:
    """A plain node in a process of its own, which is restarted as people do it."""

    def __init__(self, events: Events) -> None:
        self._events = events
        self.process: Rival | None = None
        self._start()

    def restart(self) -> None:
        """End the process, start a new one and wait until it is active."""
        self.close()
        self._start()

    def close(self) -> None:
        """Interrupt the process and wait until it is gone."""
        assert self.process is not None
        end([self.process.process])

    def _start(self) -> None:
        self._events.forget()
        self.process = Rival("source", "/plain", str(PERIOD), answers=False)
        self._events.wait("active", 1)


@contextlib.contextmanager
def _plain(events: Events) -> Iterator[Plain]:
    plain = Plain(events)
    try:
        yield plain
    finally:
        plain.close()


@contextlib.contextmanager
def listener() -> Iterator[Listener]:
    """Run a listener that a thread spins."""
    context = Context()
    context.init()
    node = Listener(context)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(node)

    def spin() -> None:
        with contextlib.suppress(ExternalShutdownException):
            executor.spin()

    thread = threading.Thread(target=spin, daemon=True)
    thread.start()
    try:
        yield node
    finally:
        executor.shutdown()
        thread.join(5.0)
        node.destroy_node()
        context.try_shutdown()


def _wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + BOUND
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError("the stream did not come back")
        time.sleep(0.002)
