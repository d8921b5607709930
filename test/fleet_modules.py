"""Modules that the tests of the coordinator run in containers."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from std_msgs.msg import Int64, String

from dimos_ros import Blueprint, In, Module, Out, autoconnect, param, rpc


class Source(Module):
    """Publisher of its name and a running number. Its long history keeps messages that a busy machine takes late."""

    ticks: Out[String] = Out(qos=2000)
    period: float = param(0.01, minimum=0.0001, description="seconds")

    def on_activate(self, state: Any) -> None:
        self.number = 0
        self.timer = self.create_timer(self.period, self.tick)

    def on_deactivate(self, state: Any) -> None:
        self.destroy_timer(self.timer)

    def tick(self) -> None:
        self.number += 1
        self.ticks.publish(String(data=f"{self.get_fully_qualified_name()} {os.getpid()} {self.number}"))

    @rpc
    def count(self) -> int:
        """Return the number of messages published since the activation."""
        return self.number

    @rpc
    def pid(self) -> int:
        """Return the id of the module's process."""
        return os.getpid()


class Sink(Module):
    """Subscriber that collects all messages."""

    ticks: In[String] = In(qos=2000)
    source: Source | None
    label: str = "none"

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.heard: list[str] = []

    def handle_ticks(self, message: String) -> None:
        self.heard.append(message.data)

    @rpc
    def senders(self) -> list[str]:
        """Return the names of the sources that have sent messages."""
        return sorted({text.split()[0] for text in self.heard})

    @rpc
    def numbers(self) -> list[list[int]]:
        """Return the process and the number of each message, in order."""
        return [[int(word) for word in text.split()[1:]] for text in self.heard]

    @rpc
    def ask_source(self) -> int:
        """Return the count of the source."""
        assert self.source is not None
        return self.source.count()

    @rpc
    def source_name(self) -> str:
        """Return the full node name that the reference holds."""
        return str(self.get_parameter("source").value)

    @rpc
    def settings(self) -> dict[str, Any]:
        """Return the values of the parameters inside the module."""
        return {"label": self.label, "pid": os.getpid()}


class Steps(Module):
    """Module that writes its lifecycle transitions to a file."""

    needs: Steps | None

    def note(self, step: str) -> None:
        with Path(os.environ["STEPS_FILE"]).open("a") as file:
            file.write(f"{self.get_name()} {step}\n")

    def on_activate(self, state: Any) -> None:
        self.note("activate")

    def on_deactivate(self, state: Any) -> None:
        self.note("deactivate")


class Failing(Module):
    """Module that fails at the step that a parameter names."""

    where: str = "nowhere"
    ticks: In[String]

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        if self.where == "constructor":
            raise RuntimeError("no such camera")
        if self.where == "exit":
            sys.exit(3)
        if self.where == "crash":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.where == "hang":
            time.sleep(3600)

    def on_configure(self, state: Any) -> None:
        if self.where == "configure":
            raise RuntimeError("no such camera")

    def on_activate(self, state: Any) -> Any:
        from rclpy.lifecycle import TransitionCallbackReturn

        if self.where == "activate":
            raise RuntimeError("no such camera")
        return TransitionCallbackReturn.FAILURE if self.where == "refuse" else TransitionCallbackReturn.SUCCESS

    def handle_ticks(self, message: String) -> None:
        if self.where == "handler":
            raise RuntimeError("a bad tick")
        if self.where == "stuck":
            time.sleep(3600)

    @rpc
    def die(self) -> None:
        """End the process at once."""
        os.kill(os.getpid(), signal.SIGKILL)


class Slow(Module):
    """Module with a call that takes long."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.working = False

    @rpc
    def work(self) -> None:
        """Work for an hour."""
        self.working = True
        time.sleep(3600)

    @rpc
    def is_working(self) -> bool:
        """Return whether work() was called."""
        return self.working


class Finisher(Module):
    """Module that finishes the job as soon as it is active."""

    total: Out[Int64]

    def on_activate(self, state: Any) -> None:
        self.finish("all of it is done")


robot = autoconnect(Source.blueprint(), Sink.blueprint())


def fleet(robots: list[str], period: float = 0.01) -> Blueprint:
    """Return copies of a robot, each in a namespace of its own."""
    one = autoconnect(Source.blueprint(period=period), Sink.blueprint())
    return autoconnect(*(one.namespace(name) for name in robots))


not_a_blueprint = 3
