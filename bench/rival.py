"""Rivals: plain rclpy nodes, each in its own process. People would run them instead of modules.

A node whose messages or calls are timed has the executor that ours have.
``python -m bench.rival KIND NAMESPACE [ARGUMENT ...]`` reads commands as JSON lines, and writes answers likewise.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import rclpy
from rclpy.executors import ExternalShutdownException
from rclpy.experimental import EventsExecutor
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.task import Future

from bench.events import tell
from bench.rivals import ANSWER
from bench.traffic import Arrivals, Departures, message_of

FOREVER = 1e8
"""Seconds. The EventsExecutor does not work without a bound."""

Commands = dict[str, Callable[..., Any]]


def source(node: Node, period: str = "0.1") -> Commands:
    """Do the work of modules.Source."""
    from std_msgs.msg import String

    publisher = node.create_publisher(String, "ticks", 10)
    count = iter(range(1 << 60))
    node.create_timer(float(period), lambda: publisher.publish(String(data=f"{os.getpid()} {next(count)}")))
    return {}


def sink(node: Node) -> Commands:
    """Do the work of modules.Sink."""
    from std_msgs.msg import String

    heard: list[bool] = []

    def take(message: String) -> None:
        if not heard:
            heard.append(True)
            tell("heard", node.get_fully_qualified_name())

    node.create_subscription(String, "ticks", take, 10)
    return {}


def idle(node: Node) -> Commands:
    """Do the work of modules.Idle."""
    return {}


def server(node: Node) -> Commands:
    """Do the work of modules.Echo."""
    from std_srvs.srv import Trigger

    def answer(request: Any, response: Any) -> Any:
        response.success = True
        return response

    node.create_service(Trigger, "ping", answer)
    return {"nothing": int}  # with a command, it gets the executor that the client has


def client(node: Node) -> Commands:
    """Do the work of modules.Caller. The thread that calls also spins the node."""
    from std_srvs.srv import Trigger

    caller = node.create_client(Trigger, "ping")

    def measure(executor: Any, count: int) -> list[float]:
        while not caller.service_is_ready():
            time.sleep(0.01)
        taken = []
        for _ in range(count):
            before = time.perf_counter()
            executor.spin_until_future_complete(caller.call_async(Trigger.Request()), FOREVER)
            taken.append((time.perf_counter() - before) * 1e3)
        return taken

    return {"measure": measure}


def sender(node: Node, kind: str, reliability: str = "reliable") -> Commands:
    """Do the work of modules.Sender."""
    publisher = node.create_publisher(type(message_of(kind)), "messages", _qos(reliability))
    departures = Departures(kind, node, publisher.publish)
    return {"send": departures.send, "matched": publisher.get_subscription_count}


def receiver(node: Node, kind: str, reliability: str = "reliable") -> Commands:
    """Do the work of modules.Receiver."""
    arrivals = Arrivals(kind)

    def take(message: Any) -> None:
        arrivals.note(message)

    node.create_subscription(type(message_of(kind)), "messages", take, _qos(reliability))
    return {"begin": arrivals.begin, "result": arrivals.result}


KINDS: dict[str, Callable[..., Commands]] = {
    function.__name__: function for function in (source, sink, idle, server, client, sender, receiver)
}


def _qos(reliability: str) -> QoSProfile:
    if reliability == "reliable":
        return QoSProfile(depth=10)
    return QoSProfile(depth=5, reliability=ReliabilityPolicy.BEST_EFFORT)


def main(kind: str, namespace: str, *arguments: str) -> None:
    """Run one node until it is interrupted, or until its input for commands ends."""
    rclpy.init()
    node = Node(kind, namespace=namespace)
    commands = KINDS[kind](node, *arguments)
    tell("active", node.get_fully_qualified_name())
    if not commands:
        with contextlib.suppress(KeyboardInterrupt, ExternalShutdownException):
            rclpy.spin(node)
    else:
        executor = EventsExecutor()
        executor.add_node(node)
        if "measure" in commands:
            _obey(commands, executor)
        else:
            ended = Future()
            threading.Thread(target=lambda: (_obey(commands), ended.set_result(None)), daemon=True).start()
            executor.spin_until_future_complete(ended, FOREVER)
    node.destroy_node()
    rclpy.try_shutdown()


def _obey(commands: Commands, *given: Any) -> None:
    for line in sys.stdin:
        name, *arguments = json.loads(line)
        # Answers are marked, because the middleware writes to the standard output, too.
        print(ANSWER + json.dumps(commands[name](*given, *arguments)), flush=True)


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except KeyboardInterrupt:
        sys.exit(1)  # interrupted before the node was there
