"""Raising an error in other threads, the last means to end a node's code. It uses CPython's internals, not rclpy's."""

from __future__ import annotations

import ctypes
import threading
import time
from collections.abc import Iterable

from rclpy.context import Context

from dimos_ros.ros.internals.internal import Internal, NotNeededError


def can_interrupt() -> bool:
    """Return whether this interpreter can raise an error in another thread."""
    return hasattr(getattr(ctypes, "pythonapi", None), "PyThreadState_SetAsyncExc")


def interrupt_threads(threads: Iterable[int], error: type[BaseException]) -> None:
    """Raise ``error`` in threads, given by their identifiers.

    A thread that runs Python code gets it at once; a thread that waits in C code gets it when that code returns. Does
    nothing if the interpreter cannot do it.
    """
    if can_interrupt():
        for ident in threads:
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(ident), ctypes.py_object(error))


class _ProbeError(BaseException):
    pass


def _probe(context: Context) -> str:
    if not can_interrupt():
        raise NotNeededError("this interpreter has no PyThreadState_SetAsyncExc")
    begun, ended = threading.Event(), threading.Event()
    stop = time.monotonic() + 2.0

    def loop() -> None:
        try:
            begun.set()
            while time.monotonic() < stop:
                pass
        except _ProbeError:
            ended.set()

    thread = threading.Thread(target=loop, daemon=True)
    thread.start()
    begun.wait()
    interrupt_threads([thread.ident or 0], _ProbeError)
    thread.join()
    if not ended.is_set():
        raise RuntimeError("a thread that loops was not interrupted within 2 s")
    return "a thread that loops was interrupted"


INTERNAL = Internal(
    name="interrupting a node's code",
    purpose="a node that hangs in Python code can be unloaded, and its container goes on",
    touches="CPython's PyThreadState_SetAsyncExc, called by ctypes",
    upstream="",
    versions="any, on CPython",
    fallback="no code is interrupted: a node that hangs is abandoned at once, with its thread",
    probe=_probe,
)
