"""Which transport profile a process gets."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

IMAGE_SEGMENT = 16 << 20
"""Bytes of shared memory for who sends images: two frames of full HD in colour."""
DEFAULT_SEGMENT = 512 << 10
"""Bytes of shared memory that Fast DDS takes by itself."""
SPARE_SEGMENTS = 8
"""How many such segments must be free for one to be taken: a fleet starts many at once, and others need some too."""
SHARED_MEMORY = Path("/dev/shm")

DEFAULT_PEERS, ALL_PEERS = 32, 120
"""How many ports a process announces itself to: as rmw_fastrtps has it, and all that a ROS domain has."""
CROWD = 24
"""More processes than this make it necessary to announce oneself to all; each later one has a higher port."""

USERS_CHOICE = (
    "FASTDDS_BUILTIN_TRANSPORTS",
    "FASTDDS_DEFAULT_PROFILES_FILE",
    "FASTRTPS_DEFAULT_PROFILES_FILE",
    "ROS_DISCOVERY_SERVER",
)
"""Variables by which a user sets Fast DDS's transports or discovery up; each says that it is not for us to do."""
DEFAULT_FILES = ("DEFAULT_FASTDDS_PROFILES.xml", "DEFAULT_FASTRTPS_PROFILES.xml")
"""Profiles that Fast DDS reads by itself from the working directory."""
RANGE = "ROS_AUTOMATIC_DISCOVERY_RANGE"
"""The variable that says how far discovery goes; rcl reads it when a context is made."""
OLD_NAME_IN = ("humble", "iron", "jazzy")
"""Distributions whose Fast DDS knows the variable by its old name, and warns of the new one, or the other way round."""


def use_transport(sends_images: bool, fleet_size: int = 0) -> None:
    """Set this process's environment for the profile that fits, before its first ROS context is made.

    ``fleet_size`` is how many processes of this machine are started together. The processes that user code
    starts in turn inherit the profile, as they inherit what a user sets.
    """
    os.environ.update(_chosen(sends_images, fleet_size))


@contextlib.contextmanager
def introduced_transport(sends_images: bool, fleet_size: int, introducer: int) -> Iterator[None]:
    """As :func:`use_transport`, for the context that is made within this by a process that the coordinator's
    introducer, on the port ``introducer``, makes known to others. What says how far discovery goes is afterwards
    as before."""
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
    """The environment variables to set; none where the user has set the transport up or uses another middleware.

    ``free`` is how many bytes of shared memory there are; ``processes``, how many processes of this machine have
    to find each other; ``has_profile``, whether the working directory has a profile of the user's; ``introducer``,
    the port of who introduces this process, which is done where discovery is kept to this machine.
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
            # Anything else has rmw_fastrtps add transports and peers of its own.
            RANGE: "SYSTEM_DEFAULT",
        }
    elif segment == IMAGE_SEGMENT:
        profile = "images.xml"
    else:
        profile = "peers.xml" if is_local_only(environment) else "network.xml"
    prefix = "FASTRTPS" if environment.get("ROS_DISTRO", "") in OLD_NAME_IN else "FASTDDS"
    return chosen | {f"{prefix}_DEFAULT_PROFILES_FILE": str(Path(__file__).with_name(profile))}


def participants_here(domain: str) -> int:
    """How many participants of a ROS domain this machine has, by the ports that they listen on."""
    first = 7410 + 250 * (int(domain) if domain.isdigit() else 0)
    ports = {f"{port:04X}" for port in range(first, first + 2 * ALL_PEERS, 2)}
    try:
        lines = Path("/proc/net/udp").read_text().splitlines()[1:]
    except OSError:
        return 0
    return len(ports.intersection(line.split()[1].rpartition(":")[2] for line in lines))


def is_local_only(environment: Mapping[str, str]) -> bool:
    """Whether ROS is told to look for peers on this machine alone."""
    # The older variable wins, as in rcl, which warns of it.
    if environment.get("ROS_LOCALHOST_ONLY", "") == "1":
        return True
    return environment.get(RANGE, "").upper() == "LOCALHOST"


def free_shared_memory() -> int:
    """Bytes that are free for shared memory; 0 where there is none."""
    try:
        return shutil.disk_usage(SHARED_MEMORY).free
    except OSError:
        return 0
