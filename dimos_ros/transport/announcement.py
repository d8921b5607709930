"""Reading the announcement of a DDS participant (RTPS 2.x, simple participant discovery)."""

from __future__ import annotations

import struct
from dataclasses import dataclass

_HEADER = 20
_PREFIX = slice(8, 20)
_DATA = 0x15
_PARTICIPANT_WRITER = bytes.fromhex("000100c2")
_LITTLE_ENDIAN, _HAS_INLINE_QOS, _HAS_DATA = 0x01, 0x02, 0x04
_TO_INLINE_QOS = 4
"""Octets of the field octetsToInlineQos and the field before it."""
_END_OF_PARAMETERS = 0x0001
_STATUS_INFO = 0x0071
_METATRAFFIC_UNICAST_LOCATOR = 0x0032
_UDP_V4 = 1


@dataclass(frozen=True)
class Announcement:
    """The announcement of one participant.

    ``participant`` is its GUID prefix; ``ports`` are the UDP ports that it receives announcements on. With
    ``is_farewell`` the participant leaves the graph.
    """

    participant: bytes
    ports: frozenset[int]
    is_farewell: bool = False


def read_announcement(message: bytes) -> Announcement | None:
    """Return the announcement in an RTPS message; None if the message is another one or damaged."""
    if len(message) < _HEADER or message[:4] != b"RTPS":
        return None
    try:
        position = _HEADER
        while position + 4 <= len(message):
            kind, flags = message[position], message[position + 1]
            order = "<" if flags & _LITTLE_ENDIAN else ">"
            (length,) = struct.unpack_from(order + "H", message, position + 2)
            body = message[position + 4 : position + 4 + length] if length else message[position + 4 :]
            if kind == _DATA and body[8:12] == _PARTICIPANT_WRITER:
                return _read_data(message[_PREFIX], body, flags, order)
            if not length:
                return None
            position += 4 + length
    except struct.error:
        return None
    return None


def _read_data(participant: bytes, body: bytes, flags: int, order: str) -> Announcement | None:
    (skipped,) = struct.unpack_from(order + "H", body, 2)
    position = _TO_INLINE_QOS + skipped
    if flags & _HAS_INLINE_QOS:
        parameters, position = _parameters(body, position, order)
        if any(number == _STATUS_INFO and any(value) for number, value in parameters):
            return Announcement(participant, frozenset(), is_farewell=True)
    if not flags & _HAS_DATA:
        return None
    # The encapsulation header gives the byte order of the parameters: PL_CDR, big or little endian.
    order = "<" if body[position + 1 : position + 2] == b"\x03" else ">"
    parameters, _ = _parameters(body, position + 4, order)
    ports = set()
    for number, value in parameters:
        if number == _METATRAFFIC_UNICAST_LOCATOR and len(value) >= 8:
            kind, port = struct.unpack_from(order + "iI", value)
            if kind == _UDP_V4 and 0 < port < 1 << 16:
                ports.add(port)
    return Announcement(participant, frozenset(ports)) if ports else None


def _parameters(body: bytes, position: int, order: str) -> tuple[list[tuple[int, bytes]], int]:
    """Return the numbered parameters from a position on, and the position after them."""
    found: list[tuple[int, bytes]] = []
    while True:
        number, length = struct.unpack_from(order + "HH", body, position)
        position += 4
        if number == _END_OF_PARAMETERS:
            return found, position
        found.append((number, body[position : position + length]))
        position += length
