"""Plain rclpy nodes that the tests of containers load. They know nothing of this package."""

from __future__ import annotations

import os
import sys
import threading
import time
from pathlib import Path

import rclpy
from rclpy.executors import ExternalShutdownException
from rclpy.lifecycle import LifecycleNode, TransitionCallbackReturn
from rclpy.node import Node
from rclpy.qos import QoSProfile
from std_msgs.msg import String
from std_srvs.srv import SetBool, Trigger


class Talker(Node):
    """A node like one of a tutorial: it publishes on ``chatter`` and answers on ``ping``."""

    def __init__(self) -> None:
        super().__init__("talker")
        self.declare_parameter("period", 0.02)
        self.count = 0
        self.publisher = self.create_publisher(String, "chatter", 10)
        self.service = self.create_service(Trigger, "~/ping", self.on_ping)
        self.timer = self.create_timer(self.get_parameter("period").value, self.on_timer)

    def on_timer(self) -> None:
        self.count += 1
        self.publisher.publish(String(data=f"{self.get_fully_qualified_name()} {self.count}"))

    def on_ping(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        response.success, response.message = True, str(self.count)
        return response


class Rooted(Node):
    """A node whose class sets a namespace."""

    def __init__(self) -> None:
        super().__init__("rooted", namespace="/of_the_class")


class Witness(Node):
    """A node that keeps the types of its parameters in its constructor, as the parameter ``seen``."""

    NAMES = ("a_bool", "an_int", "a_double", "a_string", "bytes", "bools", "ints", "doubles", "strings")

    def __init__(self) -> None:
        super().__init__("witness", automatically_declare_parameters_from_overrides=True)
        seen = [f"{name}: {self.get_parameter(name).type_.name}" for name in self.NAMES if self.has_parameter(name)]
        self.declare_parameter("seen", ["", *seen])


class Slow(Node):
    """A node whose constructor takes ``delay`` seconds, in short steps or, if ``in_c``, in one call of C code."""

    def __init__(self) -> None:
        super().__init__("slow")
        end = time.monotonic() + self.declare_parameter("delay", 1.0).value
        if self.declare_parameter("in_c", False).value:
            time.sleep(max(0.0, end - time.monotonic()))
        while time.monotonic() < end:
            time.sleep(0.01)


class HalfMade(Node):
    """A node whose constructor fails after it has made endpoints; ``how`` says in which way."""

    def __init__(self) -> None:
        super().__init__("half_made")
        self.kept = [self.create_publisher(String, "half_made_topic", 10)]
        self.kept.append(self.create_service(Trigger, "half_made_service", lambda _, response: response))
        self.kept.append(self.create_timer(0.01, self.get_name))
        how = self.declare_parameter("how", "raise").value
        if how == "exit":
            sys.exit(3)
        if how == "interrupt":
            raise KeyboardInterrupt
        if how == "fork" and os.fork() == 0:
            return
        if how == "crash":
            os.kill(os.getpid(), 11)
        if how == "raise":
            raise RuntimeError("no camera on /dev/video7")


class Unruly(Node):
    """A node that obeys orders on ``~/order``, in the callback; an order ``destructor ...`` in ``destroy_node``."""

    def __init__(self) -> None:
        super().__init__("unruly")
        self.at_end = ""
        self.declare_parameter("obeyed", 0)
        self.subscription = self.create_subscription(String, "~/order", self.on_order, 10)
        self.offered = [
            self.create_service(SetBool, f"~/{name}", callback, qos_profile=QoSProfile(depth=100))
            for name, callback in (("fail_if", self.on_fail_if), ("forget_if", self.on_forget_if))
        ]

    def on_order(self, message: String) -> None:
        word, _, rest = message.data.partition(" ")
        if word == "destructor":
            self.at_end = rest
        elif word == "timer":
            self.timer = self.create_timer(0.001, lambda: self.obey(rest))
        elif word == "async":
            self.executor.create_task(self.obey, rest)
        else:
            self.obey(message.data)

    def on_fail_if(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        if request.data:
            raise ValueError("told to")
        response.success = True
        return response

    def on_forget_if(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response | None:
        response.success = True
        return None if request.data else response

    def obey(self, order: str) -> None:
        count = self.get_parameter("obeyed").value + 1
        self.set_parameters([rclpy.Parameter("obeyed", value=count)])
        if order == "raise":
            raise ValueError(f"unruly {count}")
        if order == "exit":
            sys.exit(4)
        if order == "shutdown":
            rclpy.shutdown()
        if order == "shutdown_own":
            self.context.shutdown()
        if order == "fork" and os.fork() == 0:
            return
        if order == "fork_exit" and os.fork() == 0:
            sys.exit(5)
        if order == "loop":
            while True:
                pass
        if order == "hang":
            while True:
                time.sleep(0.01)
        if order == "hang_in_c":
            threading.Event().wait(20.0)
        if order == "destroy":
            super().destroy_node()
        if order == "crash":
            os.kill(os.getpid(), 11)

    def destroy_node(self) -> None:
        self.obey(self.at_end)
        super().destroy_node()


class Ten(Node):
    """A node with ten endpoints."""

    def __init__(self) -> None:
        super().__init__("ten")
        self.publishers_ = [self.create_publisher(String, f"out{i}", 10) for i in range(3)]
        self.subscriptions_ = [self.create_subscription(String, f"in{i}", self.on_message, 10) for i in range(3)]
        self.offered = [self.create_service(Trigger, f"service{i}", self.on_call) for i in range(2)]
        self.client = self.create_client(Trigger, "service9")
        self.timer = self.create_timer(0.01, self.on_timer)

    def on_message(self, _: String) -> None: ...

    def on_call(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        return response

    def on_timer(self) -> None: ...


class Managed(LifecycleNode):
    """A managed node that writes each call of a callback to the file ``record``, and hangs in callback ``hang_in``."""

    def __init__(self) -> None:
        super().__init__("managed")
        self.declare_parameter("record", os.devnull)
        self.declare_parameter("hang_in", "")

    def on_configure(self, state: object) -> TransitionCallbackReturn:
        return self.record("configure")

    def on_activate(self, state: object) -> TransitionCallbackReturn:
        return self.record("activate")

    def on_deactivate(self, state: object) -> TransitionCallbackReturn:
        return self.record("deactivate")

    def on_cleanup(self, state: object) -> TransitionCallbackReturn:
        return self.record("cleanup")

    def destroy_node(self) -> None:
        self.record("destroy")
        super().destroy_node()

    def record(self, name: str) -> TransitionCallbackReturn:
        with Path(self.get_parameter("record").value).open("a") as file:
            print(name, file=file)
        while self.get_parameter("hang_in").value == name:
            time.sleep(0.01)
        return TransitionCallbackReturn.SUCCESS


class Threaded(Node):
    """A node with a thread that publishes while rclpy.ok()."""

    def __init__(self) -> None:
        super().__init__("threaded")
        self.publisher = self.create_publisher(String, "beats", 10)
        self.thread = threading.Thread(target=self.beat, daemon=True)
        self.thread.start()

    def beat(self) -> None:
        rate = self.create_rate(100.0)
        try:
            while rclpy.ok() and self.context.ok():
                self.publisher.publish(String(data="beat"))
                rate.sleep()
        except (ExternalShutdownException, rclpy.exceptions.ROSInterruptException):
            pass


class Asking(Node):
    """A node that waits for a service's answer in its constructor and in a callback, with rclpy's spin functions."""

    def __init__(self) -> None:
        super().__init__("asking")
        self.client = self.create_client(Trigger, "/asked/ping")
        self.publisher = self.create_publisher(String, "answers", 10)
        self.ask()
        self.timer = self.create_timer(0.05, self.on_timer)

    def on_timer(self) -> None:
        self.publisher.publish(String(data=self.ask()))

    def ask(self) -> str:
        if not self.client.wait_for_service(5.0):
            raise TimeoutError("no server of /asked/ping within 5 s")
        future = self.client.call_async(Trigger.Request())
        rclpy.spin_until_future_complete(self, future, timeout_sec=5.0)
        return str(future.result().message)


class WithHelper(Node):
    """A node that makes a second node."""

    def __init__(self) -> None:
        super().__init__("with_helper")
        self.helper = rclpy.create_node("helper")

    def destroy_node(self) -> None:
        self.helper.destroy_node()
        super().destroy_node()


class NeedsArguments(Node):
    """A node whose class needs arguments. A container passes none."""

    def __init__(self, name: str, camera: str) -> None:
        super().__init__(name)


class NotANode:
    """A class that is not a node."""
