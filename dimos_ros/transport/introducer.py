"""The introducer: it sends each new participant the announcements of the others at once, instead of after seconds.

Fast DDS announces a new participant before that participant listens (in 2.14 and in 3.2), and drops the answers that
come in meanwhile. Peers answer only the first announcement. So without multicast, where each process is addressed by
its port, many answers are lost. The newcomer then discovers those peers only by their next periodic announcement, up
to 3 s later. A shorter period would cost processor time for each process and port, and would not help with peers whose
settings belong to another program.

The introducer listens on the port of one more participant. It keeps the last announcement of each participant and
repeats them to every newcomer. It invents nothing: announcements are sent on as they came, and only on this machine.

The containers of a fleet announce themselves to the introducer alone (see fleet.xml), which introduces them when their
modules are up. The cost of discovering an endpoint grows with the number of participants that know its process already.
For 24 robots it is 15 s of processor time if every endpoint is announced to all participants one by one. It is 5 s if
a process is announced with all its endpoints at once.
"""

from __future__ import annotations

import contextlib
import heapq
import socket
import threading
import time
from collections.abc import Iterable, Iterator, Mapping

from dimos_ros.transport.announcement import Announcement, read_announcement
from dimos_ros.transport.profiles import is_local_only

HOST = "127.0.0.1"
FIRST_PORT = 7410
PORTS_A_DOMAIN = 250
PORTS_A_PARTICIPANT = 2
PARTICIPANTS = 32
"""Number of ports that a participant with default settings announces itself to."""
NEW_SECONDS = 1.0
"""For so many seconds after its first announcement a participant is a newcomer, which is introduced repeatedly."""
DELAYS = (0.002, 0.02)
"""Seconds from a newcomer's announcement to its introductions. The first gives it time to listen; the second helps one
that was short of processor time."""
RELEASE_DELAYS = (0.0, 0.1, 0.5)
"""The same for participants that were held back, which listen already."""
SPACING = 0.002
"""Seconds between two of them, so that not all participants talk to each other at once."""
PROBE_SECONDS = 0.05
"""Seconds that the answer whether a port is taken stays valid. Asking the system is the introducer's main cost."""
FRESH_SECONDS = 10.0
"""A participant that has been silent for longer is forgotten; by default participants announce themselves every 3 s."""


class Introducer:
    """A thread that receives announcements and introduces participants to newcomers."""

    def __init__(self, connection: socket.socket, all_ports: Iterable[int] = ()) -> None:
        """Start the thread. ``all_ports`` are the ports that participants of the domain may have."""
        self._connection = connection
        self._all_ports = tuple(all_ports)
        self.port: int = connection.getsockname()[1]
        self._known: dict[bytes, _Known] = {}
        self._due: list[tuple[float, bytes]] = []
        self._ports = _Ports()
        self._holds: set[_Hold] = set()
        # A dictionary serves as a set that keeps its order.
        self._held: dict[bytes, None] = {}
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="introducer", daemon=True)
        self._thread.start()

    @classmethod
    def open(cls, domain: int, environment: Mapping[str, str], middleware: str) -> Introducer | None:
        """Open an introducer for a domain.

        Return None if discovery is not limited to this machine, if the middleware is not Fast DDS, or if all ports
        are taken.
        """
        if not (is_local_only(environment) and middleware.startswith("rmw_fastrtps")):
            return None
        first = FIRST_PORT + PORTS_A_DOMAIN * domain
        ports = range(first, first + PORTS_A_PARTICIPANT * PARTICIPANTS, PORTS_A_PARTICIPANT)
        # Try the highest port first, since participants take the lowest ones.
        for port in reversed(ports):
            connection = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            try:
                connection.bind((HOST, port))
            except (OSError, OverflowError):
                connection.close()
                continue
            return cls(connection, ports)
        return None

    def close(self) -> None:
        """End the thread and release the port."""
        self._closed = True
        self._wake()
        self._thread.join(1.0)
        self._connection.close()

    @contextlib.contextmanager
    def holding(self, seconds: float) -> Iterator[None]:
        """Introduce no newcomers inside this context, but for ``seconds`` at most; do it afterwards."""
        hold = _Hold(time.monotonic() + seconds)
        self._holds.add(hold)
        self._wake()
        try:
            yield
        finally:
            self._holds.discard(hold)
            self._wake()

    def _wake(self) -> None:
        with contextlib.suppress(OSError):
            # The thread waits for messages, so an empty one wakes it.
            self._connection.sendto(b"", (HOST, self.port))

    def _run(self) -> None:
        while not self._closed:
            now = time.monotonic()
            self._release(now)
            next_at = min([at for at, _ in self._due[:1]] + [hold.until for hold in self._holds.copy()], default=None)
            self._connection.settimeout(None if next_at is None else max(0.0005, next_at - now))
            try:
                self._receive(self._connection.recv(1 << 16))
            except TimeoutError:
                pass
            except OSError:
                continue  # an earlier message was sent to a port on which no process listens
            while self._due and self._due[0][0] <= time.monotonic():
                self._introduce_to(heapq.heappop(self._due)[1])

    def _receive(self, message: bytes) -> None:
        announcement = read_announcement(message)
        if announcement is None:
            return
        if announcement.is_farewell:
            self._known.pop(announcement.participant, None)
            return
        now = time.monotonic()
        known = self._known.get(announcement.participant)
        if known is None:
            self._forget(now, announcement.ports)
            known = self._known[announcement.participant] = _Known(now)
        known.update(now, announcement, message)
        if self._holds:
            self._held.setdefault(announcement.participant)
        elif now - known.first_seen < NEW_SECONDS:
            self._plan(announcement.participant, now, DELAYS)
        else:
            # Repeat the introduction: a container announces itself only to this introducer, so a peer it missed would
            # stay unknown.
            self._plan(announcement.participant, now, DELAYS[:1])

    def _plan(self, participant: bytes, now: float, delays: Iterable[float]) -> None:
        for delay in delays:
            heapq.heappush(self._due, (now + delay, participant))

    def _release(self, now: float) -> None:
        """Plan the introductions that were held back, unless a hold is left."""
        for hold in self._holds.copy():
            if hold.until <= now:
                self._holds.discard(hold)
        if self._holds:
            return
        for number, participant in enumerate(self._held):
            self._plan(participant, now + number * SPACING, RELEASE_DELAYS)
        self._held.clear()

    def _forget(self, now: float, ports: frozenset[int]) -> None:
        """Forget participants that ended without a farewell: they are silent, or their port has another owner."""
        for participant, known in list(self._known.items()):
            if known.ports & ports or now - known.last_seen > FRESH_SECONDS:
                del self._known[participant]

    def _introduce_to(self, participant: bytes) -> None:
        newcomer = self._known.get(participant)
        if newcomer is None:
            return
        if not newcomer.is_introduced:
            newcomer.is_introduced = True
            self._introduce_to_strangers(newcomer)
        for other, known in list(self._known.items()):
            if other == participant:
                continue
            if not any(self._ports.is_taken(port) for port in known.ports):
                del self._known[other]
                continue
            for port in newcomer.ports:
                with contextlib.suppress(OSError):
                    self._connection.sendto(known.message, (HOST, port))

    def _introduce_to_strangers(self, newcomer: _Known) -> None:
        """Announce a newcomer to listeners that never announced themselves, such as another fleet's introducer."""
        known_ports = {self.port}.union(*(known.ports for known in self._known.values()))
        for port in self._all_ports:
            if port not in known_ports and self._ports.is_taken(port):
                with contextlib.suppress(OSError):
                    self._connection.sendto(newcomer.message, (HOST, port))


class _Hold:
    """A pause of all introductions, until a time of the monotonic clock at most."""

    def __init__(self, until: float) -> None:
        self.until = until


class _Known:
    """A participant: the times of its announcements, and the last one."""

    def __init__(self, now: float) -> None:
        self.first_seen = now
        self.last_seen = now
        self.ports: frozenset[int] = frozenset()
        self.message = b""
        self.is_introduced = False

    def update(self, now: float, announcement: Announcement, message: bytes) -> None:
        self.last_seen = now
        self.ports = announcement.ports
        self.message = message


class _Ports:
    """The ports of this machine that are taken. The system frees the port of a killed process at once."""

    def __init__(self) -> None:
        self._found: dict[int, tuple[float, bool]] = {}

    def is_taken(self, port: int) -> bool:
        """Return whether a port is taken, or was at most :data:`PROBE_SECONDS` ago."""
        now = time.monotonic()
        probed, taken = self._found.get(port, (-PROBE_SECONDS, False))
        if now - probed >= PROBE_SECONDS:
            taken = _is_taken(port)
            self._found[port] = now, taken
        return taken


def _is_taken(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((HOST, port))
        except OSError:
            return True
    return False
