"""Forked child processes: they answer, they report their errors, and they end with their parent."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("rclpy", reason="the fork server imports rclpy")

from conftest import process_exists, wait_until

from dimos_ros import ClassNotFoundError, ContainerDiedError, DimosError, RequestTimeoutError
from dimos_ros.coordinator import PRELOAD
from dimos_ros.processes import supervisor as supervision
from dimos_ros.processes.channel import ChildEnd, ParentEnd
from dimos_ros.processes.child import serve
from dimos_ros.processes.launcher import ChildProcess, Exit, Launcher
from dimos_ros.processes.message import Event, Message, Notice, Protocol, Request
from dimos_ros.processes.request_id import current_request_id, is_request_id, new_request_id, request
from dimos_ros.processes.server_process import ForkServer
from dimos_ros.processes.supervisor import RespawnPolicy, Supervisor, how_it_ended


@dataclass(frozen=True)
class Number(Message):
    value: int


@dataclass(frozen=True)
class Add(Request[Number]):
    """Add a number to the child's own."""

    answer = Number
    value: int

    @property
    def subject(self) -> str:
        return f"the number {self.value}"


@dataclass(frozen=True)
class Fail(Request[None]):
    """Raise an error."""

    kind: str


@dataclass(frozen=True)
class End(Request[None]):
    """End the process at once."""

    code: int


@dataclass(frozen=True)
class GetPid(Request[Number]):
    answer = Number


@dataclass(frozen=True)
class CloseChannel(Request[None]):
    """Close the control channel and go on running."""


@dataclass(frozen=True)
class Note(Notice):
    text: str


@dataclass(frozen=True)
class Stop(Notice):
    pass


@dataclass(frozen=True)
class Noted(Event):
    text: str


PROTOCOL = Protocol(3, (Add, Fail, End, GetPid, CloseChannel, Note, Stop, Noted))
ERRORS: dict[str, Callable[[], BaseException]] = {
    "known": lambda: ClassNotFoundError("no such class"),
    "other": lambda: ValueError("a value"),
    "exit": lambda: SystemExit(3),
    "interrupt": lambda: KeyboardInterrupt(),
    "base": lambda: BaseException("the base of all"),
}


def child(connection: socket.socket, base: int = 0, version: int = 3, fails: bool = False) -> int:
    """The child of these tests."""
    if fails:
        raise ValueError("there is no executor 'fast'")

    def fail(asked: Fail) -> None:
        raise ERRORS[asked.kind]()

    def note(notice: Note) -> None:
        if notice.text == "bad":
            raise ValueError("a bad note")
        end.tell(Noted(notice.text))

    end = ChildEnd(
        connection,
        Protocol(version, (Add, Fail, End, GetPid, CloseChannel, Note, Stop)),
        {
            Add: lambda asked: Number(base + asked.value),
            Fail: fail,
            End: lambda asked: os._exit(asked.code),
            GetPid: lambda _: Number(os.getpid()),
            CloseChannel: lambda _: end.close(),
            Note: note,
            Stop: lambda _: end.close(),
        },
    )
    return serve(end, lambda: time.sleep(600) if base == LIVES_ON else None)


LIVES_ON = 99
"""A child with this base does not end with its channel."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ForkServer]:
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    server = ForkServer(PRELOAD)
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


def ignore(event: Event) -> None:
    assert event


TARGET = f"{__name__}:child"


# ---------------------------------------------------------------------------------------------------- messages


def test_children_answer_side_by_side_and_keep_the_order_of_notices(server: ForkServer) -> None:
    heard: list[str] = []

    async def body(launcher: Launcher) -> None:
        children = await asyncio.gather(*(launcher.fork(TARGET, "t", PROTOCOL, ignore, base=n) for n in range(5)))
        answers = await asyncio.gather(*(c.channel.ask(Add(10), 10) for c in children))
        assert [answer.value for answer in answers] == [10, 11, 12, 13, 14]
        assert len({c.pid for c in children}) == 5
        one = await launcher.fork(TARGET, "t", PROTOCOL, lambda event: heard.append(event.text))
        for number in range(100):
            one.channel.tell(Note(str(number)))
        assert await one.channel.ask(Add(1), 10) == Number(1)
        while len(heard) < 100:
            await asyncio.sleep(0.001)

    run(server, body)
    assert heard == [str(number) for number in range(100)]


def test_errors_of_a_child_arrive_with_their_class_and_traceback(server: ForkServer) -> None:
    async def body(launcher: Launcher) -> None:
        one = await launcher.fork(TARGET, "t", PROTOCOL, ignore)
        with pytest.raises(ClassNotFoundError, match="no such class") as known:
            await one.channel.ask(Fail("known"), 10)
        with pytest.raises(DimosError, match="ValueError: a value") as other:
            await one.channel.ask(Fail("other"), 10)
        for caught in (known, other):
            assert "raise ERRORS[asked.kind]()" in caught.value.remote_traceback

    run(server, body)


@pytest.mark.parametrize(
    ("kind", "text"),
    [("exit", "SystemExit: 3"), ("interrupt", "KeyboardInterrupt"), ("base", "BaseException: the base of all")],
)
def test_an_exception_that_would_end_a_thread_is_answered_at_once(server: ForkServer, kind: str, text: str) -> None:
    async def body(launcher: Launcher) -> None:
        one = await launcher.fork(TARGET, "t", PROTOCOL, ignore)
        started = time.monotonic()
        with pytest.raises(DimosError, match=text):
            await one.channel.ask(Fail(kind), 20)
        assert time.monotonic() - started < 10
        assert await one.channel.ask(Add(1), 10) == Number(1)

    run(server, body)


def test_a_request_times_out_and_later_requests_are_answered(server: ForkServer) -> None:
    async def body(launcher: Launcher) -> None:
        one = await launcher.fork(TARGET, "t", PROTOCOL, ignore)
        assert (await one.channel.ask(GetPid(), 5)).value == one.pid
        os.kill(one.pid, signal.SIGSTOP)
        try:
            with pytest.raises(RequestTimeoutError, match=r"^t did not add the number 1 within 0\.1 s$"):
                await one.channel.ask(Add(1), 0.1)
        finally:
            os.kill(one.pid, signal.SIGCONT)
        assert await one.channel.ask(Add(2), 10) == Number(2)

    run(server, body)


# ------------------------------------------------------------------------------------------------ never silent


class Pair:
    """The parent's end of a channel whose other end is a bare socket."""

    def __init__(self) -> None:
        self.heard: list[Any] = []
        self.closed: list[str] = []
        self.ours, self.theirs = socket.socketpair()

    def hear(self, event: Event) -> None:
        self.heard.append(event)
        if event == Noted("bad"):
            raise ValueError("this listener cannot handle the event")

    async def open(self) -> ParentEnd:
        return await ParentEnd.open(self.ours, PROTOCOL, "robot1/container", self.hear, self.closed.append)

    def send(self, line: Any) -> None:
        self.theirs.sendall((line if isinstance(line, bytes) else json.dumps(line).encode()) + b"\n")


@pytest.mark.parametrize(
    "line",
    [
        b"this is not JSON",
        b"\xff\xfe",
        b"[]",
        b"17",
        b"null",
        {"event": "no_such_event", "with": {}},
        {"event": "noted", "with": {"txet": "a"}},
        {"event": "noted", "with": None},
        {"event": ["noted"], "with": {}},
        {"event": "noted"},
        {"neither": "nor"},
        {"id": "1"},
        {"event": "noted", "with": {"text": "bad"}},
        {"died": {}},
        {"protocol": 3},
    ],
    ids=str,
)
def test_a_line_that_is_not_a_message_ends_nothing_and_is_logged(line: Any, caplog: pytest.LogCaptureFixture) -> None:
    async def body() -> None:
        pair = Pair()
        end = await pair.open()
        pair.send(line)
        pair.send({"event": "noted", "with": {"text": "good"}})
        asked = asyncio.ensure_future(end.ask(Add(1), 10))
        request = json.loads(await asyncio.to_thread(pair.theirs.makefile("rb").readline))
        pair.send({"id": request["id"], "result": {"value": 5}})
        assert await asked == Number(5)
        assert pair.heard[-1] == Noted("good")
        assert pair.closed == []
        pair.theirs.close()
        await end.closed
        assert pair.closed == ["the other end closed it"]

    with caplog.at_level(logging.ERROR, "dimos_ros"):
        asyncio.run(body())
    if line != {"protocol": 3}:
        assert any("robot1/container" in record.getMessage() for record in caplog.records), caplog.text


def test_another_version_of_the_protocol_is_named_as_the_reason(server: ForkServer) -> None:
    closed: list[str] = []

    async def body(launcher: Launcher) -> None:
        one = await launcher.fork(TARGET, "t", PROTOCOL, ignore, closed.append, version=2)
        with pytest.raises(ContainerDiedError, match=r"version 2 of the control protocol|gone"):
            await one.channel.ask(Add(1), 10)
        await one.channel.closed

    run(server, body)
    assert closed == ["the process speaks version 2 of the control protocol, its parent version 3"]


@pytest.mark.parametrize("line", [b"not JSON", {"do": "no_such"}, {"do": "note", "with": {"text": "bad"}}, {}], ids=str)
def test_a_child_survives_a_line_that_it_cannot_handle(line: Any, server: ForkServer) -> None:
    async def body(launcher: Launcher) -> None:
        one = await launcher.fork(TARGET, "t", PROTOCOL, ignore)
        data = line if isinstance(line, bytes) else json.dumps(line).encode()
        one.channel._writer.write(data + b"\n")
        assert await one.channel.ask(Add(1), 10) == Number(1)

    run(server, body)


def test_a_request_that_a_child_cannot_read_is_answered_with_the_reason(server: ForkServer) -> None:
    @dataclass(frozen=True)
    class Subtract(Request[None]):
        value: int

    async def body(launcher: Launcher) -> None:
        one = await launcher.fork(TARGET, "t", PROTOCOL, ignore)
        with pytest.raises(DimosError, match="no message is called 'subtract'; there are add, "):
            await one.channel.ask(Subtract(1), 10)

    run(server, body)


def test_a_child_that_raises_while_it_starts_prints_the_error_and_reports_it(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def body(launcher: Launcher) -> None:
        one = await launcher.fork(TARGET, "t", PROTOCOL, ignore, fails=True)
        with pytest.raises(ContainerDiedError):
            await one.channel.ask(Add(1), 10)
        how = await how_it_ended(one, 5)
        assert how == "ended with exit code 1: ValueError: there is no executor 'fast'"

    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    # Started here, since a process that a fixture starts has another stderr.
    run(ForkServer(PRELOAD), body)
    printed = capfd.readouterr().err
    assert "Traceback" in printed and "there is no executor 'fast'" in printed


def test_messages_are_logged_at_debug_with_the_id_of_their_request(
    server: ForkServer, caplog: pytest.LogCaptureFixture
) -> None:
    async def body(launcher: Launcher) -> None:
        one = await launcher.fork(TARGET, "robot1/container", PROTOCOL, ignore)
        with request("3f9a2c"):
            await one.channel.ask(Add(10), 10)
            with pytest.raises(DimosError):
                await one.channel.ask(Fail("known"), 10)
        await one.channel.ask(Add(10), 10)

    with caplog.at_level(logging.DEBUG, "dimos_ros"):
        run(server, body)
    assert "-> robot1/container #3f9a2c.1 add the number 10" in caplog.text
    assert "<- #3f9a2c.1 ok " in caplog.text
    assert "<- #3f9a2c.2 ClassNotFoundError: no such class " in caplog.text
    assert "-> robot1/container #3 add the number 10" in caplog.text


def test_a_request_id_belongs_to_the_thread_or_task_that_works_for_it() -> None:
    assert current_request_id() == ""
    seen = []
    with request("a") as given:
        assert given == current_request_id() == "a"
        with request("b"):
            assert current_request_id() == "b"
        thread = threading.Thread(target=lambda: seen.append(current_request_id()))
        thread.start()
        thread.join()
    assert current_request_id() == ""
    assert seen == [""]
    assert is_request_id(new_request_id())
    assert not any(is_request_id(text) for text in ("", "a b", "a\n", "x" * 41, "é", "a;b"))


# ------------------------------------------------------------------------------------------------- supervision


@pytest.mark.parametrize(("how", "status"), [("exit", 7), ("kill", -signal.SIGKILL)])
def test_the_end_of_a_child_fails_its_open_requests(server: ForkServer, how: str, status: int) -> None:
    async def body(launcher: Launcher) -> None:
        one = await launcher.fork(TARGET, "t", PROTOCOL, ignore)
        os.kill(one.pid, signal.SIGSTOP if how == "kill" else signal.SIGCONT)
        asked = asyncio.ensure_future(one.channel.ask(End(7), 10))
        await asyncio.sleep(0)
        if how == "kill":
            one.send_signal(signal.SIGKILL)
        with pytest.raises(ContainerDiedError):
            await asked
        assert await one.wait(5)
        assert one.exited.result() == Exit(status)
        with pytest.raises(ContainerDiedError):
            await one.channel.ask(Add(1), 1)

    run(server, body)


def test_only_an_unrequested_end_is_reported(server: ForkServer) -> None:
    heard: list[tuple[int, Exit]] = []

    async def body(launcher: Launcher) -> None:
        supervisor = Supervisor(launcher, TARGET, PROTOCOL, Stop())

        def on_exit(process: ChildProcess, how: Exit) -> None:
            heard.append((process.pid, how))

        first, second, third = [await supervisor.start("t", ignore, on_exit, base=n) for n in (0, 1, 2)]
        assert await supervisor.end(first, 5) is False
        assert await supervisor.end(first, 5) is False
        os.kill(second.pid, signal.SIGKILL)
        assert await second.wait(5)
        os.kill(third.pid, signal.SIGSTOP)
        assert await supervisor.end(third, 0.05) is True
        await asyncio.sleep(0)
        assert heard == [(second.pid, Exit(-signal.SIGKILL))]
        assert str(heard[0][1]) == "ended with signal SIGKILL"

    run(server, body)


def test_a_process_that_runs_without_its_channel_is_killed(
    server: ForkServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(supervision, "CLOSED_SECONDS", 0.2)
    heard: list[Exit] = []

    async def body(launcher: Launcher) -> None:
        supervisor = Supervisor(launcher, TARGET, PROTOCOL, Stop())
        one = await supervisor.start("robot1/container", ignore, lambda _, how: heard.append(how), base=LIVES_ON)
        with pytest.raises(ContainerDiedError):
            await one.channel.ask(CloseChannel(), 10)
        assert await one.wait(5)

    run(server, body)
    assert heard == [Exit(-signal.SIGKILL)]
    assert "it still runs, but its control channel has ended" in caplog.text


def test_a_respawn_policy_doubles_its_delay_forgets_and_gives_up() -> None:
    policy = RespawnPolicy(limit=3, delay=0.2, forgotten_after=10.0)
    assert [policy.delay_after(ends) for ends in (1, 2, 3, 4)] == [0.2, 0.4, 0.8, None]
    assert policy.ends_in_a_row(2, ran=1.0) == 3
    assert policy.ends_in_a_row(2, ran=11.0) == 1
    assert RespawnPolicy(limit=0).delay_after(1) is None


def test_the_fork_server_has_no_ros_context_and_no_user_code(server: ForkServer) -> None:
    async def body(launcher: Launcher) -> tuple[int, str]:
        one = await launcher.fork(TARGET, "t", PROTOCOL, ignore)
        return one.pid, Path(f"/proc/{server.process.pid}/maps").read_text()

    _, maps = run(server, body)
    assert "rclpy" in maps
    assert "fastrtps_port" not in maps  # no shared memory of a DDS participant


def test_children_end_with_the_process_that_started_them(tmp_path: Path) -> None:
    code = f"""
import asyncio, sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from test_processes import PRELOAD, PROTOCOL
from dimos_ros.processes.launcher import Launcher
from dimos_ros.processes.server_process import ForkServer
async def main():
    server = ForkServer(PRELOAD)
    launcher = await Launcher.open(server)
    children = [await launcher.fork({TARGET!r}, "t", PROTOCOL, print, base=n) for n in range(3)]
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
        one = await launcher.fork(TARGET, "t", PROTOCOL, ignore)
        server.process.kill()
        assert await one.wait(5)
        another = await launcher.fork(TARGET, "t", PROTOCOL, ignore, base=5)
        assert await another.channel.ask(Add(1), 10) == Number(6)
        await launcher.close()
        with pytest.raises(ContainerDiedError, match="the process that starts all other processes has ended"):
            await launcher.fork(TARGET, "t", PROTOCOL, ignore)

    run(server, body)
