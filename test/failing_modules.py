"""Modules and a blueprint function that end in every way that user code can, at the place that a parameter names."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from typing import Any

from std_msgs.msg import String

from dimos_ros import Blueprint, Module, Out


class OddError(BaseException):
    """An error that ``except Exception`` does not catch."""


class WordlessError(Exception):
    """An error whose message cannot be had."""

    def __str__(self) -> str:
        raise RuntimeError("there are no words for it")


def _raise(error: BaseException) -> Any:
    raise error


WAYS: dict[str, Callable[[], Any]] = {
    "": lambda: None,
    "exit": lambda: sys.exit("out of here"),
    "interrupt": lambda: _raise(KeyboardInterrupt()),
    "odd": lambda: _raise(OddError("an odd thing")),
    "wordless": lambda: _raise(WordlessError()),
    "end": lambda: os._exit(7),
    # The signal may take a moment to end all threads.
    "crash": lambda: (os.kill(os.getpid(), signal.SIGSEGV), time.sleep(60)),
}


class Steady(Module):
    """A module that runs on."""

    ticks: Out[String]


class Ending(Module):
    """A module that ends in one of the ways, at one of its callbacks."""

    where: str = ""
    way: str = ""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._at("constructor")

    def on_configure(self, _: Any) -> None:
        self._at("on_configure")

    def on_activate(self, _: Any) -> None:
        self._at("on_activate")

    def on_deactivate(self, _: Any) -> None:
        self._at("on_deactivate")

    def _at(self, place: str) -> None:
        if self.where == place:
            WAYS[self.way]()


def ending_blueprint(way: str) -> Blueprint:
    WAYS[way]()
    return Ending.blueprint()
