"""Processes of plain rclpy nodes."""

from __future__ import annotations

import contextlib
import json
import subprocess
from typing import Any

from bench.processes import end, python

ANSWER = "answer: "
"""The beginning of each line of a rival's output that is an answer."""


class Rival:
    """A process of bench/rival.py. Use it in a ``with`` statement."""

    def __init__(self, kind: str, namespace: str = "/rival", *arguments: str, answers: bool = True) -> None:
        self.process = python("-m", "bench.rival", kind, namespace, *arguments, quiet=not answers)

    @property
    def pid(self) -> int:
        return self.process.pid

    def ask(self, *command: Any) -> Any:
        """Send a command and return its answer. Raises RuntimeError if the process ended."""
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
    """Start a process for each node of ``count`` robots, all at once."""
    return [Rival(kind, f"/robot{number + 1}", answers=False) for number in range(count) for kind in kinds]
