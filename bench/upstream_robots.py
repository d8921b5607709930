"""Robots of upstream dimos in a process of their own: ``python -m bench.upstream_robots COUNT``.

The program says when the robots are up. Then it reads commands as JSON lines, and writes answers in the same way,
until it is interrupted.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import tempfile
import time
from typing import Any

from bench.rivals import ANSWER


def main(count: str) -> None:
    """Run the robots."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as logs:
        os.environ["DIMOS_RUN_LOG_DIR"] = logs
        coordinator = _build(int(count))
        print(f"{count} robots up after {time.monotonic() - started:.2f} s", flush=True)
        try:
            for line in sys.stdin:
                name, *arguments = json.loads(line)
                print(ANSWER + json.dumps(COMMANDS[name](coordinator, *arguments)), flush=True)
        finally:
            coordinator.stop()


def restart(coordinator: Any, module: str) -> float:
    """Restart a module and return the seconds that it took."""
    before = time.perf_counter()
    coordinator.restart_module(module)
    return time.perf_counter() - before


def measure(coordinator: Any, module: str, count: int) -> list[float]:
    """Have a module measure ``count`` calls, and return their milliseconds."""
    return coordinator.get_instance(module).measure(count)


COMMANDS = {function.__name__: function for function in (restart, measure)}


def _build(count: int) -> Any:
    # Imported here: the processes that upstream starts import this file, too.
    from dimos.core.coordination.blueprints import autoconnect
    from dimos.core.coordination.module_coordinator import ModuleCoordinator
    from dimos.utils import prompt

    from bench.upstream_theirs import robot

    # Upstream asks whether it may change limits of the system, and changes them if it gets no answer.
    prompt.confirm = lambda *_, **__: False
    return ModuleCoordinator.build(autoconnect(*(robot.namespace(f"robot{number + 1}") for number in range(count))))


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        main(*sys.argv[1:])
