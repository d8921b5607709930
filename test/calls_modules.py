"""Modules whose calls the tests make."""

from __future__ import annotations

import dataclasses
import enum
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any, Protocol

import numpy
from geometry_msgs.msg import Pose
from numpy.typing import NDArray
from sensor_msgs.msg import Image
from std_msgs.msg import Int64
from std_srvs.srv import SetBool, Trigger

from dimos_ros import Blueprint, In, Module, Out, autoconnect, rpc
from dimos_ros.exceptions import RemoteError, TargetInactiveError


class Mood(enum.Enum):
    CALM = "calm"
    BUSY = "busy"


@dataclasses.dataclass
class Part:
    name: str
    weight: float = 1.0
    mood: Mood = Mood.CALM


class BaseWorkshop(Module):
    @rpc
    def inherited(self) -> str:
        """The class that defines it."""
        return "base"

    @rpc
    def overridden(self) -> str:
        return "base"

    @rpc(Trigger)
    def reset(self, request: Trigger.Request) -> Trigger.Response:
        return Trigger.Response(message="base")


class Workshop(BaseWorkshop):
    """A module with a call of every kind."""

    gain: float = 1.0

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.bell = False
        self.kept: list[Any] = []
        self.calls = 0
        self.asleep = 0
        self.go_on = threading.Event()

    @rpc
    def nothing(self) -> None:
        """Do nothing.

        More of it.
        """

    @rpc
    def add(self, a: int, b: int = 1) -> int:
        """The sum."""
        self.calls += 1
        return a + b

    @rpc
    def who(self) -> str:
        """The full name of the node."""
        return str(self.get_fully_qualified_name())

    @rpc
    def pid(self) -> int:
        return os.getpid()

    @rpc
    def note(self, token: str, file: str) -> str:
        """Append a line to a file, so that a call that ran twice shows."""
        with Path(file).open("a") as opened:
            opened.write(f"{token}\n")
        return token

    @rpc
    def part(self, part: Part, moods: list[Mood] | None = None) -> dict[str, Part]:
        return {part.name: dataclasses.replace(part, mood=moods[0] if moods else part.mood)}

    @rpc
    def scale(self, array: NDArray[numpy.float32], by: float) -> NDArray[numpy.float32]:
        return array * numpy.float32(by)

    @rpc
    def mirror(self, pose: Pose) -> Pose:
        pose.position.x = -pose.position.x
        return pose

    @rpc
    def image(self, image: Image) -> Image:
        return image

    @rpc
    def either(self, value: int | str | Pose | None = None) -> list[Any]:
        return [type(value).__name__, value]

    @rpc
    def anything(self, value: Any) -> Any:
        return value

    @rpc
    def keep(self, values: list[int]) -> list[int]:
        self.kept = values
        return self.kept

    @rpc
    def keyword(self, *, only: int) -> int:
        return only

    @rpc
    def fail(self, text: str) -> None:
        raise ValueError(text)

    @rpc
    def recurse(self) -> None:
        self.recurse()

    @rpc
    def leave(self) -> None:
        sys.exit(3)

    @rpc
    def wrong_result(self) -> int:
        return "no number"

    @rpc
    def unsendable(self) -> Any:
        return threading.Lock()

    @rpc
    def sleep(self, seconds: float) -> float:
        self.asleep += 1
        self.go_on.wait(seconds)
        self.asleep -= 1
        return seconds

    @rpc
    def sleepers(self) -> int:
        """The number of calls of sleep() under way."""
        return self.asleep

    @rpc
    def die(self) -> None:
        """End the process at once, during the call."""
        os.kill(os.getpid(), signal.SIGKILL)

    @rpc(SetBool)
    def ring(self, data: bool) -> SetBool.Response:
        """Start or stop the bell."""
        self.bell = data
        return SetBool.Response(success=True, message="rung" if data else "quiet")

    def overridden(self) -> str:
        return "workshop"

    def reset(self, request: Trigger.Request) -> Trigger.Response:
        if self.gain < 0:
            raise ValueError("negative gain")
        return Trigger.Response(success=True, message="workshop")

    def not_a_call(self) -> None: ...

    def _private(self) -> None: ...


class Adder(Protocol):
    """A module that can add."""

    def add(self, a: int, b: int = 1) -> int: ...


class Customer(Module):
    """A module that calls a workshop from every kind of callback."""

    orders: In[Int64]
    results: Out[Int64]
    workshop: Workshop
    adder: Adder | None

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.answers: list[Any] = []

    def on_activate(self, state: Any) -> None:
        self.answers.append(("activate", self.workshop.add(1)))
        self.timer = self.create_timer(0.01, self.tick)

    def on_deactivate(self, state: Any) -> None:
        self.destroy_timer(self.timer)

    def tick(self) -> None:
        self.answers.append(("timer", self.workshop.add(2)))
        self.results.publish(Int64(data=3))

    def handle_orders(self, message: Int64) -> None:
        self.answers.append(("handler", self.workshop.add(message.data)))

    @rpc
    def order(self, a: int) -> int:
        """Call the workshop from within a call."""
        return self.workshop.add(a)

    @rpc
    def is_within_the_process(self) -> bool:
        """Whether no call to the workshop needed ROS."""
        return self.workshop._target._caller is None

    @rpc
    def sources(self) -> list[str]:
        """The callbacks that calls were made from so far."""
        return sorted({where for where, _ in self.answers})


class Player(Module):
    """One of two players: A calls B, which calls A, and so on."""

    other: Player

    @rpc
    def play(self, rounds: int) -> list[str]:
        """The names of the players, in the order of their turns."""
        name = str(self.get_name())
        return [name] if rounds == 0 else [name, *self.other.play(rounds - 1)]


class Clock(Module):
    """A module that counts in a stream's handler and has a slow call."""

    beats_out: Out[Int64]
    beats: In[Int64]

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.count = 0
        self.go_on = threading.Event()

    def on_activate(self, state: Any) -> None:
        self.timer = self.create_timer(0.005, lambda: self.beats_out.publish(Int64(data=1)))

    def on_deactivate(self, state: Any) -> None:
        self.destroy_timer(self.timer)

    def handle_beats(self, message: Int64) -> None:
        self.count += 1

    @rpc
    def long(self) -> int:
        """The number of beats that were counted while this call slept for half a second."""
        before = self.count
        time.sleep(0.5)
        return self.count - before


def players(names: list[str]) -> Blueprint:
    """Return a blueprint with a pair of players and their clock in each namespace."""
    pair = autoconnect(
        Player.blueprint("a"), Player.blueprint("b"), Clock.blueprint().remappings([(Clock, "beats_out", "beats")])
    ).remappings([("a", "other", "b"), ("b", "other", "a")])
    return autoconnect(*(pair.namespace(name) for name in names))


def workshops(names: list[str]) -> Blueprint:
    """Return a blueprint with a workshop and a customer for each robot."""
    one = autoconnect(Workshop.blueprint(), Customer.blueprint())
    return autoconnect(*(one.namespace(name) for name in names))


class Asker(Module):
    """A module that calls a relay when it is activated; the relay calls back."""

    relay: Relay

    def on_activate(self, state: Any) -> None:
        try:
            self.relay.back()
            self._refused = ""
        except (RemoteError, TargetInactiveError) as error:
            # The two refer to each other, so either may be active first.
            self._refused = getattr(error, "remote_type", type(error).__name__)

    @rpc
    def here(self) -> str:
        return "here"

    @rpc
    def refused(self) -> str:
        """The result or the error of the call back."""
        return self._refused


class Relay(Module):
    """A module that calls its caller back."""

    asker: Asker

    @rpc
    def back(self) -> str:
        return self.asker.here()
