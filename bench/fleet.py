"""A fleet that the coordinator's command runs, as people run it."""

from __future__ import annotations

import signal
import subprocess
import time

from bench.events import BOUND
from bench.processes import end, python


class FleetCommand:
    """A process of the executable ``coordinator``, started at once. Use it in a ``with`` statement."""

    def __init__(self, blueprint: str, robots: int = 0, **parameters: object) -> None:
        given = {"blueprint": blueprint, **({"robots": robots} if robots else {}), **parameters}
        arguments = [word for name, value in given.items() for word in ("-p", f"{name}:={value}")]
        self.started = time.monotonic()
        self.process = python(
            "-m", "dimos_ros.coordinator.main", "--ros-args", *arguments, quiet=False, stderr=subprocess.STDOUT
        )
        self._ended = False

    @property
    def pid(self) -> int:
        return self.process.pid

    def wait_until_up(self) -> float:
        """Wait until the command says that all modules are up, and return the seconds since its start.

        Raises RuntimeError if it ends first.
        """
        assert self.process.stdout is not None
        said = []
        for line in self.process.stdout:
            if " up after " in line:
                return time.monotonic() - self.started
            said.append(line)
            if time.monotonic() - self.started > BOUND:
                break
        raise RuntimeError(f"the fleet did not come up:\n{''.join(said[-20:])}")

    def end(self) -> float:
        """Interrupt the fleet, and return the seconds until all its processes are gone."""
        self._ended = True
        return end([self.process], signal.SIGINT)

    def __enter__(self) -> FleetCommand:
        return self

    def __exit__(self, *_: object) -> None:
        if not self._ended:
            self.end()
