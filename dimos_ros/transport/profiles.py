"""Choosing the transport profile of a process."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

IMAGE_SEGMENT = 16 << 20
"""Bytes of shared memory of a process that sends images: two full HD frames in colour, and some room."""
DEFAULT_SEGMENT = 512 << 10
"""Bytes of shared memory that Fast DDS takes by default."""
SPARE_SEGMENTS = 8
"""Number of image segments that must be free before a process takes one: a fleet starts many processes at once, and
other programs need memory too."""
SHARED_MEMORY = Path("/dev/shm")

DEFAULT_PEERS, ALL_PEERS = 32, 120
"""Numbers of ports that a process announces itself to: rmw_fastrtps's default, and all ports of a ROS domain."""
CROWD = 24
"""With more processes than this each one announces itself to all ports, because later ones have higher ports."""

USERS_CHOICE = (
    "FASTDDS_BUILTIN_TRANSPORTS",
    "FASTDDS_DEFAULT_PROFILES_FILE",
    "FASTRTPS_DEFAULT_PROFILES_FILE",
    "ROS_DISCOVERY_SERVER",
)
"""Variables by which a user configures Fast DDS. If one is set, this package changes nothing."""
DEFAULT_FILES = ("DEFAULT_FASTDDS_PROFILES.xml", "DEFAULT_FASTRTPS_PROFILES.xml")
"""Names of profiles that Fast DDS reads from the working directory by default."""
RANGE = "ROS_AUTOMATIC_DISCOVERY_RANGE"
"""The variable that limits the range of discovery; rcl reads it when a context is made."""
OLD_NAME_IN = ("humble", "iron", "jazzy")
"""Distributions whose Fast DDS reads the variable of the profile's file by its old name, which starts with FASTRTPS."""


def use_transport(sends_images: bool, fleet_size: int = 0) -> None:
    """Set this process's environment to the profile that fits, before its first ROS context is made.

    ``fleet_size`` is the number of processes that are started together on this machine. Processes that user code
    starts inherit the profile, as they would inherit a user's own settings.
    """
    os.environ.update(_chosen(sends_images, fleet_size))


@contextlib.contextmanager
def introduced_transport(sends_images: bool, fleet_size: int, introducer: int) -> Iterator[None]:
    """Like :func:`use_transport`, for a process that the coordinator's introducer introduces to its peers.

    ``introducer`` is the port of the introducer. Make the process's ROS context inside. On exit
    ROS_AUTOMATIC_DISCOVERY_RANGE is restored.
    """
    chosen = _chosen(sends_images, fleet_size, introducer)
    before = os.environ.get(RANGE, "")
    os.environ.update(chosen)
    try:
        yield
    finally:
        if RANGE in chosen:
            os.environ[RANGE] = before


def _chosen(sends_images: bool, fleet_size: int, introducer: int = 0) -> dict[str, str]:
    has_profile = any(Path(name).exists() for name in DEFAULT_FILES)
    processes = fleet_size + participants_here(os.environ.get("ROS_DOMAIN_ID", ""))
    return variables(os.environ, sends_images, free_shared_memory(), processes, has_profile, introducer)


def variables(
    environment: Mapping[str, str],
    sends_images: bool,
    free: int,
    processes: int = 0,
    has_profile: bool = False,
    introducer: int = 0,
) -> dict[str, str]:
    """Return the environment variables to set; none if the user has set up the transport or uses another middleware.

    ``free`` is the shared memory that is free, in bytes. ``processes`` is the number of processes on this machine that
    must find each other. ``has_profile`` tells whether the working directory has a profile of the user's.
    ``introducer`` is the port of the introducer, 0 for none; it is used only if discovery is limited to this machine.
    """
    middleware = environment.get("RMW_IMPLEMENTATION", "")
    if has_profile or (middleware and not middleware.startswith("rmw_fastrtps")):
        return {}
    if any(environment.get(name) for name in USERS_CHOICE):
        return {}
    segment = IMAGE_SEGMENT if sends_images and free >= SPARE_SEGMENTS * IMAGE_SEGMENT else DEFAULT_SEGMENT
    chosen = {"DIMOS_ROS_PEERS": str(ALL_PEERS if processes > CROWD else DEFAULT_PEERS)}
    asks_for_more = environment.get("ROS_STATIC_PEERS") or environment.get("ROS_LOCALHOST_ONLY") == "1"
    if introducer and is_local_only(environment) and not asks_for_more:
        profile = "fleet.xml"
        chosen |= {
            "DIMOS_ROS_SEGMENT_SIZE": str(segment),
            "DIMOS_ROS_INTRODUCER_PORT": str(introducer),
            # With any other value rmw_fastrtps adds transports and peers of its own.
            RANGE: "SYSTEM_DEFAULT",
        }
    elif segment == IMAGE_SEGMENT:
        profile = "images.xml"
    else:
        profile = "peers.xml" if is_local_only(environment) else "network.xml"
    prefix = "FASTRTPS" if environment.get("ROS_DISTRO", "") in OLD_NAME_IN else "FASTDDS"
    return chosen | {f"{prefix}_DEFAULT_PROFILES_FILE": str(Path(__file__).with_name(profile))}


def participants_here(domain: str) -> int:
    """Count the participants of a ROS domain on this machine by the ports that they listen on."""
    first = 7410 + 250 * (int(domain) if domain.isdigit() else 0)
    ports = {f"{port:04X}" for port in range(first, first + 2 * ALL_PEERS, 2)}
    try:
        lines = Path("/proc/net/udp").read_text().splitlines()[1:]
    except OSError:
        return 0
    return len(ports.intersection(line.split()[1].rpartition(":")[2] for line in lines))


def is_local_only(environment: Mapping[str, str]) -> bool:
    """Return whether the environment limits discovery to this machine."""
    # The older variable wins, as in rcl.
    if environment.get("ROS_LOCALHOST_ONLY", "") == "1":
        return True
    return environment.get(RANGE, "").upper() == "LOCALHOST"


def free_shared_memory() -> int:
    """Return the bytes that are free for shared memory; 0 if the system has none."""
    try:
        return shutil.disk_usage(SHARED_MEMORY).free
    except OSError:
        return 0
