"""Forked child processes: they answer, their end is noticed, and none outlives its parent."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("rclpy", reason="the fork server imports rclpy")

from conftest import process_exists, wait_until

from dimos_ros import ClassNotFoundError, ContainerDiedError, DimosError, RequestTimeoutError
from dimos_ros.processes.channel import ChildEnd
from dimos_ros.processes.launcher import Launcher
from dimos_ros.processes.server_process import ForkServer


def child(connection: socket.socket, base: int) -> int:
    """The child of these tests."""

    def raise_(kind: str) -> None:
        raise {"known": ClassNotFoundError("no such class"), "other": ValueError("a value")}[kind]

    operations: dict[str, Callable[..., Any]] = {
        "add": lambda number: base + number,
        "raise_": raise_,
        "exit": lambda code: os._exit(code),
        "pid": os.getpid,
        "note": lambda text: end.tell("noted", text=text),
    }
    end = ChildEnd(connection, operations)
    end.serve()
    return base


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ForkServer]:
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    server = ForkServer()
    yield server
    server.connection.close()
    server.process.wait(20)


def run(server: ForkServer, body: Callable[[Launcher], Awaitable[Any]]) -> Any:
    async def main() -> Any:
        launcher = await Launcher.open(server)
        try:
            return await body(launcher)
        finally:
            await launcher.close()

    return asyncio.run(main())


def ignore(event: str, data: dict[str, Any]) -> None:
    assert event


TARGET = f"{__name__}:child"


def test_children_answer_side_by_side_and_keep_the_order_of_what_they_are_told(server: ForkServer) -> None:
    heard: list[str] = []

    async def body(launcher: Launcher) -> None:
        children = await asyncio.gather(*(launcher.fork(TARGET, "t", ignore, base=n) for n in range(5)))
        answers = await asyncio.gather(*(c.channel.ask("add", 10, number=10) for c in children))
        assert answers == [10, 11, 12, 13, 14]
        assert len({c.pid for c in children}) == 5
        one = await launcher.fork(TARGET, "t", lambda event, data: heard.append(data["text"]), base=0)
        for number in range(100):
            one.channel.tell("note", text=str(number))
        assert await one.channel.ask("add", 10, number=1) == 1
        while len(heard) < 100:
            await asyncio.sleep(0.001)

    run(server, body)
    assert heard == [str(number) for number in range(100)]


def test_errors_of_a_child_arrive_as_what_they_are(server: ForkServer) -> None:
    async def body(launcher: Launcher) -> None:
        one = await launcher.fork(TARGET, "t", ignore, base=0)
        with pytest.raises(ClassNotFoundError, match="no such class"):
            await one.channel.ask("raise_", 10, kind="known")
        with pytest.raises(DimosError, match="ValueError: a value"):
            await one.channel.ask("raise_", 10, kind="other")

    run(server, body)


def test_a_request_has_its_bound_and_later_ones_are_answered(server: ForkServer) -> None:
    async def body(launcher: Launcher) -> None:
        one = await launcher.fork(TARGET, "t", ignore, base=0)
        assert await one.channel.ask("pid", 5) == one.pid
        os.kill(one.pid, signal.SIGSTOP)
        try:
            with pytest.raises(RequestTimeoutError, match=r"add: no answer within 0\.1 s"):
                await one.channel.ask("add", 0.1, number=1)
        finally:
            os.kill(one.pid, signal.SIGCONT)
        assert await one.channel.ask("add", 10, number=2) == 2

    run(server, body)


@pytest.mark.parametrize(("how", "status"), [("exit", 7), ("kill", -signal.SIGKILL)])
def test_the_end_of_a_child_ends_what_was_asked_of_it(server: ForkServer, how: str, status: int) -> None:
    async def body(launcher: Launcher) -> None:
        one = await launcher.fork(TARGET, "t", ignore, base=0)
        os.kill(one.pid, signal.SIGSTOP if how == "kill" else signal.SIGCONT)
        asked = asyncio.ensure_future(one.channel.ask("exit", 10, code=7))
        await asyncio.sleep(0)
        if how == "kill":
            one.send_signal(signal.SIGKILL)
        with pytest.raises(ContainerDiedError):
            await asked
        assert await one.wait(5)
        assert one.exited.result() == status
        with pytest.raises(ContainerDiedError):
            await one.channel.ask("add", 1, number=1)

    run(server, body)


def test_the_fork_server_has_no_ros_context_and_no_user_code(server: ForkServer) -> None:
    async def body(launcher: Launcher) -> tuple[int, str]:
        one = await launcher.fork(TARGET, "t", ignore, base=0)
        return one.pid, Path(f"/proc/{server.process.pid}/maps").read_text()

    _, maps = run(server, body)
    assert "rclpy" in maps
    assert "fastrtps_port" not in maps  # no shared memory of a DDS participant


def test_children_end_with_the_process_that_started_them(tmp_path: Path) -> None:
    code = f"""
import asyncio, sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from dimos_ros.processes.launcher import Launcher
from dimos_ros.processes.server_process import ForkServer
async def main():
    server = ForkServer()
    launcher = await Launcher.open(server)
    children = [await launcher.fork({TARGET!r}, "t", print, base=n) for n in range(3)]
    print(server.process.pid, *(c.pid for c in children), flush=True)
    await asyncio.sleep(600)
asyncio.run(main())
"""
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    pids = [int(word) for word in parent.stdout.readline().split()]
    assert len(pids) == 4
    assert all(process_exists(pid) for pid in pids)
    parent.kill()
    parent.wait()
    wait_until(lambda: not any(process_exists(pid) for pid in pids), timeout=15)


def test_children_die_with_the_fork_server_and_the_next_has_a_new_one(server: ForkServer) -> None:
    async def body(launcher: Launcher) -> None:
        one = await launcher.fork(TARGET, "t", ignore, base=0)
        server.process.kill()
        assert await one.wait(5)
        another = await launcher.fork(TARGET, "t", ignore, base=5)
        assert await another.channel.ask("add", 10, number=1) == 6
        await launcher.close()
        with pytest.raises(ContainerDiedError, match="fork server is gone"):
            await launcher.fork(TARGET, "t", ignore, base=0)

    run(server, body)
