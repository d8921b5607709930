"""Waiting for the signals that end a process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dimos_ros.processes.stop_signals import StopSignals

ELSEWHERE = """
import signal, threading, time
from dimos_ros.processes.stop_signals import StopSignals
stop = StopSignals()
threading.Thread(target=time.sleep, args=(60.0,), daemon=True).start()
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
print("ready", flush=True)
stop.wait()
print("stopped", flush=True)
"""
"""A program in which the system can give the signal to the other thread alone."""


@pytest.fixture
def sent() -> Iterator[Callable[[int], None]]:
    before = signal.signal(signal.SIGUSR1, lambda *_: None)
    yield lambda number: threading.Timer(0.05, os.kill, (os.getpid(), number)).start()
    signal.signal(signal.SIGUSR1, before)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_wait_and_all_later_waits(number: signal.Signals, sent: Callable[[int], None]) -> None:
    with StopSignals() as signals:
        assert not signals.wait(0.0)
        sent(number)
        started = time.monotonic()
        assert signals.wait(10.0)
        assert time.monotonic() - started < 5.0
        assert signals.wait(0.0)
        assert signals.wait()


def test_other_signals_do_not_stop(sent: Callable[[int], None]) -> None:
    with StopSignals() as signals:
        sent(signal.SIGUSR1)
        assert not signals.wait(0.3)


def test_closing_restores_the_handlers_and_closes_the_pipe() -> None:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    open_before = len(list(Path("/proc/self/fd").iterdir()))
    with StopSignals():
        assert {number: signal.getsignal(number) for number in before} != before
    assert {number: signal.getsignal(number) for number in before} == before
    assert len(list(Path("/proc/self/fd").iterdir())) == open_before


def test_another_thread_waits_without_signals() -> None:
    outcome: list[bool] = []

    def wait() -> None:
        with StopSignals() as signals:
            outcome.append(signals.wait(0.05))

    thread = threading.Thread(target=wait)
    thread.start()
    thread.join(5.0)
    assert outcome == [False]


def test_a_signal_to_any_thread_ends_the_wait() -> None:
    child = subprocess.Popen([sys.executable, "-c", ELSEWHERE], stdout=subprocess.PIPE, text=True)
    try:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        child.send_signal(signal.SIGINT)
        assert child.communicate(timeout=20.0)[0] == "stopped\n"
        assert child.returncode == 0
    finally:
        child.kill()
        child.wait()
