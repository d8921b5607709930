"""Quality of service of a stream, as a value that needs no ROS.

:meth:`QoS.profile` makes rclpy's ``QoSProfile`` from it when a stream is opened.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dimos_ros.exceptions import DeclarationError
from dimos_ros.naming.wording import listed, shown

if TYPE_CHECKING:
    from rclpy.qos import QoSProfile


@dataclass(frozen=True)
class QoS:
    """Quality of service: ``reliable`` or best effort, ``latched`` (transient local) or volatile, history ``depth``.

    ``depth`` is the number of messages kept for a peer that is slower than the publisher; 0 keeps all.
    """

    reliable: bool = True
    latched: bool = False
    depth: int = 10

    def __post_init__(self) -> None:
        if not isinstance(self.depth, int) or isinstance(self.depth, bool) or self.depth < 0:
            raise DeclarationError(f"QoS depth must be an integer of 0 or more messages, not {shown(self.depth)}")

    def accepts(self, offered: QoS) -> bool:
        """Return whether a subscription with this QoS receives from a publisher with ``offered``."""
        return not (self.reliable and not offered.reliable) and not (self.latched and not offered.latched)

    def profile(self) -> QoSProfile:
        """Return the same as rclpy's profile."""
        from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy

        return QoSProfile(
            reliability=(ReliabilityPolicy.RELIABLE if self.reliable else ReliabilityPolicy.BEST_EFFORT),
            durability=(DurabilityPolicy.TRANSIENT_LOCAL if self.latched else DurabilityPolicy.VOLATILE),
            history=HistoryPolicy.KEEP_LAST if self.depth else HistoryPolicy.KEEP_ALL,
            depth=self.depth,
        )

    def __str__(self) -> str:
        kind = "reliable" if self.reliable else "best effort"
        kept = f"depth {self.depth}" if self.depth else "keep all"
        return f"{kind}, {'latched, ' if self.latched else ''}{kept}"


PROFILES = {
    "default": QoS(),
    "sensor_data": QoS(reliable=False, depth=5),
    "latched": QoS(latched=True, depth=1),
}
"""Profiles that a declaration can name: ``In(qos="sensor_data")``."""


def as_qos(value: QoS | str | int | None) -> QoS:
    """Return the QoS of a profile's name, a history depth or a QoS; None gives the default. Raises DeclarationError."""
    if value is None:
        return PROFILES["default"]
    if isinstance(value, QoS):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return QoS(depth=value)
    if isinstance(value, str) and value in PROFILES:
        return PROFILES[value]
    raise DeclarationError(f"{shown(value)} is not a QoS: give a QoS, a depth, or one of {listed(PROFILES)}")
