"""Announcements of participants: reading them, and introducing newcomers with them."""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator

import pytest

from dimos_ros.transport.announcement import Announcement, read_announcement
from dimos_ros.transport.introducer import (
    HOST,
    Introducer,
)

PREFIX = bytes(range(12))


def parameter(number: int, value: bytes) -> bytes:
    return struct.pack("<HH", number, len(value)) + value


END = parameter(1, b"")


def locator(port: int, kind: int = 1) -> bytes:
    return parameter(0x32, struct.pack("<iI", kind, port) + bytes(12) + bytes((127, 0, 0, 1)))


def message(
    parameters: bytes = b"", *, inline: bytes = b"", writer: str = "000100c2", before: bytes = b"", length: int = -1
) -> bytes:
    body = bytes.fromhex("00001000" + "000100c7" + writer) + struct.pack("<iI", 0, 1)
    flags = 1
    if inline:
        body, flags = body + inline + END, flags | 2
    if parameters:
        body, flags = body + b"\x00\x03\x00\x00" + parameters + END, flags | 4
    size = len(body) if length < 0 else length
    return b"RTPS\x02\x03\x01\x0f" + PREFIX + before + bytes((0x15, flags)) + struct.pack("<H", size) + body


def test_ports_of_an_announcement_are_those_for_udp() -> None:
    timestamp = bytes.fromhex("09010800") + bytes(8)
    found = read_announcement(message(locator(7412) + locator(7001, kind=16) + locator(7422), before=timestamp))
    assert found == Announcement(PREFIX, frozenset({7412, 7422}))


def test_a_submessage_without_a_length_goes_to_the_end() -> None:
    assert read_announcement(message(locator(7412), length=0)) == Announcement(PREFIX, frozenset({7412}))


def test_a_farewell_is_distinguished_from_an_announcement() -> None:
    gone = parameter(0x71, b"\x00\x00\x00\x03")
    assert read_announcement(message(inline=gone)) == Announcement(PREFIX, frozenset(), is_farewell=True)
    assert read_announcement(message(locator(7412), inline=parameter(0x71, bytes(4)))) is not None


@pytest.mark.parametrize(
    "other", [b"", b"RTPS", bytes(100), message(locator(7412), writer="000003c2"), message(locator(7001, kind=16))]
)
def test_another_message_than_an_announcement_is_ignored(other: bytes) -> None:
    assert read_announcement(other) is None


def test_damaged_announcements_raise_nothing() -> None:
    whole = message(locator(7412), inline=parameter(0x70, bytes(16)))
    for end in range(len(whole)):
        read_announcement(whole[:end])
    for position in range(len(whole)):
        for value in (0, 255):
            read_announcement(whole[:position] + bytes((value,)) + whole[position + 1 :])


ENVIRONMENT = {"ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST"}


class Participants:
    """Sockets that act as participants, on ports outside of any domain, and an introducer that gets their messages."""

    def __init__(self) -> None:
        self.introducer = Introducer(bound())
        self.sockets: list[socket.socket] = []
        self._out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)

    def join(self, port: int = 0) -> tuple[socket.socket, bytes]:
        """Return a participant on a port (a free one by default) and its announcement."""
        one = bound(port)
        self.sockets.append(one)
        one.settimeout(2.0)
        announcement = message(locator(one.getsockname()[1]))
        return one, announcement[:8] + os.urandom(12) + announcement[20:]

    def announce(self, announcement: bytes) -> None:
        self._out.sendto(announcement, (HOST, self.introducer.port))

    def close(self) -> None:
        self.introducer.close()
        for one in (*self.sockets, self._out):
            one.close()


def bound(port: int = 0) -> socket.socket:
    one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    one.bind((HOST, port))
    return one


@pytest.fixture
def participants() -> Iterator[Participants]:
    participants = Participants()
    try:
        yield participants
    finally:
        participants.close()


def test_a_newcomer_gets_the_announcements_of_all_others_and_not_its_own(participants: Participants) -> None:
    _, first_announcement = participants.join()
    _, second_announcement = participants.join()
    third, third_announcement = participants.join()
    for announcement in (first_announcement, second_announcement, third_announcement):
        participants.announce(announcement)
    assert {third.recv(2000) for _ in range(2)} == {first_announcement, second_announcement}


def test_a_newcomer_gets_no_announcement_of_a_participant_that_left_or_was_killed(participants: Participants) -> None:
    _, staying = participants.join()
    _, left = participants.join()
    killed, of_killed = participants.join()
    for announcement in (staying, left, of_killed):
        participants.announce(announcement)
    farewell = message(inline=parameter(0x71, b"\x00\x00\x00\x03"))
    participants.announce(farewell[:8] + left[8:20] + farewell[20:])
    killed.close()
    newcomer, announcement = participants.join()
    participants.announce(announcement)
    heard = {newcomer.recv(2000)}
    participants.announce(announcement)
    for _ in range(3):
        heard.add(newcomer.recv(2000))
    assert heard == {staying}


def test_a_participant_on_the_port_of_a_killed_one_does_not_get_its_announcement(participants: Participants) -> None:
    killed, of_killed = participants.join()
    _, staying = participants.join()
    participants.announce(of_killed)
    participants.announce(staying)
    port = killed.getsockname()[1]
    killed.close()
    newcomer, announcement = participants.join(port)
    participants.announce(announcement)
    assert {newcomer.recv(2000) for _ in range(2)} == {staying}


def test_no_participant_is_introduced_while_a_fleet_starts_and_all_are_afterwards(participants: Participants) -> None:
    first, of_first = participants.join()
    second, of_second = participants.join()
    with participants.introducer.holding(60.0):
        participants.announce(of_first)
        participants.announce(of_second)
        first.settimeout(0.3)
        with pytest.raises(TimeoutError):
            first.recv(2000)
        first.settimeout(2.0)
    assert (first.recv(2000), second.recv(2000)) == (of_second, of_first)


def test_a_fleet_that_starts_slowly_does_not_delay_the_others(participants: Participants) -> None:
    first, of_first = participants.join()
    _, of_second = participants.join()
    with participants.introducer.holding(0.1), participants.introducer.holding(0.2):
        participants.announce(of_first)
        participants.announce(of_second)
        assert first.recv(2000) == of_second


def test_a_newcomer_is_announced_to_listeners_that_were_silent_so_far(participants: Participants) -> None:
    participants.close()
    stranger = bound()
    stranger.settimeout(2.0)
    participants.introducer = Introducer(bound(), [stranger.getsockname()[1]])
    participants._out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    participants.sockets = [stranger]
    _, announcement = participants.join()
    participants.announce(announcement)
    assert stranger.recv(2000) == announcement


def test_a_participant_that_was_missed_is_introduced_again(
    participants: Participants, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dimos_ros.transport.introducer.NEW_SECONDS", 0.0)
    first, of_first = participants.join()
    _, of_second = participants.join()
    participants.announce(of_second)
    for _ in range(3):
        participants.announce(of_first)
        assert first.recv(2000) == of_second


@pytest.mark.parametrize(
    ("environment", "middleware"),
    [
        ({"ROS_AUTOMATIC_DISCOVERY_RANGE": "SUBNET"}, "rmw_fastrtps_cpp"),
        ({}, "rmw_fastrtps_cpp"),
        (ENVIRONMENT, "rmw_cyclonedds_cpp"),
    ],
)
def test_there_is_no_introducer_if_discovery_works_otherwise(
    domain: int, environment: dict[str, str], middleware: str
) -> None:
    assert Introducer.open(domain, environment, middleware) is None


def test_it_gives_its_port_back(domain: int) -> None:
    ports = set()
    for _ in range(3):
        introducer = Introducer.open(domain, ENVIRONMENT, "rmw_fastrtps_cpp")
        assert introducer is not None
        ports.add(introducer.port)
        introducer.close()
        bound(introducer.port).close()
    assert len(ports) == 1
