"""Running plain rclpy processes."""

from __future__ import annotations

import contextlib
import json
import subprocess
from typing import Any

from bench.processes import end, python

ANSWER = "answer: "
"""What a line of a rival's output begins with that is meant for us."""


class Rival:
    """One process of bench/rival.py, to be used in a ``with`` statement."""

    def __init__(self, kind: str, namespace: str = "/rival", *arguments: str, answers: bool = True) -> None:
        self.process = python("-m", "bench.rival", kind, namespace, *arguments, quiet=not answers)

    @property
    def pid(self) -> int:
        return self.process.pid

    def ask(self, *command: Any) -> Any:
        """What a command gives. Raises RuntimeError where the process ended."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()
        for line in self.process.stdout:
            if line.startswith(ANSWER):
                return json.loads(line.removeprefix(ANSWER))
        raise RuntimeError(f"the rival ended at {command}")

    def __enter__(self) -> Rival:
        return self

    def __exit__(self, *_: object) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(5.0)
        end([self.process])


def robots(count: int, *kinds: str) -> list[Rival]:
    """A process for each node of ``count`` robots, all started at once."""
    return [Rival(kind, f"/robot{number + 1}", answers=False) for number in range(count) for kind in kinds]
