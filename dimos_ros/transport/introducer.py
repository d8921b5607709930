"""Newcomers learn at once who is there, and not only when those announce themselves the next time.

Fast DDS announces a new participant before it listens (in 2.14 as in 3.2), and what comes in meanwhile is dropped.
Peers answer only the first announcement. So where processes are told of each other one by one, as on a machine
without multicast, a good part of the answers is lost, and the newcomer hears of those peers when they announce
themselves anyway: every 3 s. To shorten that period costs processor time for each process and port, and helps only
for peers whose settings one controls.

Here somebody listens in, on the port of one more participant, keeps the last announcement of each, and repeats them
to whoever is new. Nothing is made up: announcements go out as they came in, and not beyond this machine.

The containers of a fleet announce themselves to the introducer alone (see fleet.xml), and are introduced when their
modules are up. What an endpoint costs in discovery depends on how many know its process already: told one by one to
everybody, those of 24 robots take 15 s of processor time; all of a process told at once, 5 s.
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
"""How many ports peers without settings of their own announce themselves to."""
NEW_SECONDS = 1.0
"""Who was heard of for the first time less than this ago is new, and is told of all others at each announcement."""
DELAYS = (0.002, 0.02)
"""Seconds from a newcomer's announcement until it is told. Sooner it may not listen, later also if it is starved."""
RELEASE_DELAYS = (0.0, 0.1, 0.5)
"""The same for those that were held back; they listen already."""
SPACING = 0.002
"""Seconds between them, so that not everybody talks to everybody at once."""
PROBE_SECONDS = 0.05
FRESH_SECONDS = 10.0
"""Who has been silent for longer is not spoken of; by default participants announce themselves every 3 s."""


class Introducer:
    """Listens in on announcements in a thread of its own and introduces participants to newcomers."""

    def __init__(self, connection: socket.socket, all_ports: Iterable[int] = ()) -> None:
        """``all_ports`` are those that participants of the domain may have."""
        self._connection = connection
        self._all_ports = tuple(all_ports)
        self.port: int = connection.getsockname()[1]
        self._known: dict[bytes, _Known] = {}
        self._due: list[tuple[float, bytes]] = []
        self._ports = _Ports()
        self._holds: set[_Hold] = set()
        # In order; as a set would be, but for that.
        self._held: dict[bytes, None] = {}
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="introducer", daemon=True)
        self._thread.start()

    @classmethod
    def open(cls, domain: int, environment: Mapping[str, str], middleware: str) -> Introducer | None:
        """One for a domain; None where discovery works otherwise or all ports are taken."""
        if not (is_local_only(environment) and middleware.startswith("rmw_fastrtps")):
            return None
        first = FIRST_PORT + PORTS_A_DOMAIN * domain
        ports = range(first, first + PORTS_A_PARTICIPANT * PARTICIPANTS, PORTS_A_PARTICIPANT)
        # From the highest down: the lower ones go to participants.
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
        """End the thread and give the port back."""
        self._closed = True
        self._wake()
        self._thread.join(1.0)
        self._connection.close()

    @contextlib.contextmanager
    def holding(self, seconds: float) -> Iterator[None]:
        """Within this, but for ``seconds`` at most, newcomers are not introduced to anybody."""
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
            # What the thread waits for is messages.
            self._connection.sendto(b"", (HOST, self.port))

    def _run(self) -> None:
        while not self._closed:
            now = time.monotonic()
            self._release(now)
            next_at = min([at for at, _ in self._due[:1]] + [hold.until for hold in self._holds.copy()], default=None)
            self._connection.settimeout(None if next_at is None else max(0.0005, next_at - now))
            try:
                self._hear(self._connection.recv(1 << 16))
            except TimeoutError:
                pass
            except OSError:
                continue  # an earlier message found nobody at its port
            while self._due and self._due[0][0] <= time.monotonic():
                self._introduce_to(heapq.heappop(self._due)[1])

    def _hear(self, message: bytes) -> None:
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
        known.hear(now, announcement, message)
        if self._holds:
            self._held.setdefault(announcement.participant)
        elif now - known.first_heard < NEW_SECONDS:
            self._plan(announcement.participant, now, DELAYS)
        else:
            # Should it have missed somebody: who announces itself to nobody else depends on being told again.
            self._plan(announcement.participant, now, DELAYS[:1])

    def _plan(self, participant: bytes, now: float, delays: Iterable[float]) -> None:
        for delay in delays:
            heapq.heappush(self._due, (now + delay, participant))

    def _release(self, now: float) -> None:
        """Introduce those that were held back, if nobody holds them any more."""
        for hold in self._holds.copy():
            if hold.until <= now:
                self._holds.discard(hold)
        if self._holds:
            return
        for number, participant in enumerate(self._held):
            self._plan(participant, now + number * SPACING, RELEASE_DELAYS)
        self._held.clear()

    def _forget(self, now: float, ports: frozenset[int]) -> None:
        """Drop who is gone without a word: whose port is somebody else's now, or who has been silent for long."""
        for participant, known in list(self._known.items()):
            if known.ports & ports or now - known.last_heard > FRESH_SECONDS:
                del self._known[participant]

    def _introduce_to(self, participant: bytes) -> None:
        newcomer = self._known.get(participant)
        if newcomer is None:
            return
        if not newcomer.is_introduced:
            newcomer.is_introduced = True
            self._tell_strangers(newcomer)
        for other, known in list(self._known.items()):
            if other == participant:
                continue
            if not any(self._ports.is_taken(port) for port in known.ports):
                del self._known[other]
                continue
            for port in newcomer.ports:
                with contextlib.suppress(OSError):
                    self._connection.sendto(known.message, (HOST, port))

    def _tell_strangers(self, newcomer: _Known) -> None:
        """Tell those of a newcomer that have not been heard of, such as another fleet's introducer."""
        heard_of = {self.port}.union(*(known.ports for known in self._known.values()))
        for port in self._all_ports:
            if port not in heard_of and self._ports.is_taken(port):
                with contextlib.suppress(OSError):
                    self._connection.sendto(newcomer.message, (HOST, port))


class _Hold:
    """While there is one, nobody is introduced; until a time of the monotonic clock."""

    def __init__(self, until: float) -> None:
        self.until = until


class _Known:
    """A participant: when it was heard of, and its last announcement."""

    def __init__(self, now: float) -> None:
        self.first_heard = now
        self.last_heard = now
        self.ports: frozenset[int] = frozenset()
        self.message = b""
        self.is_introduced = False

    def hear(self, now: float, announcement: Announcement, message: bytes) -> None:
        self.last_heard = now
        self.ports = announcement.ports
        self.message = message


class _Ports:
    """Which ports of this machine somebody listens on; the port of a killed process is free at once."""

    def __init__(self) -> None:
        self._found: dict[int, tuple[float, bool]] = {}

    def is_taken(self, port: int) -> bool:
        """As it is, or was :data:`PROBE_SECONDS` ago: asking the system costs as much as all the rest."""
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
