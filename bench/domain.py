"""ROS domains for one measurement or one test each, so that no other ROS of this machine takes part."""

from __future__ import annotations

import contextlib
import fcntl
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

DOMAINS = range(1, 101)
"""Domains whose ports lie below the range that the system gives to clients."""


@contextlib.contextmanager
def free_domain(patience: float = 120.0) -> Iterator[int]:
    """Hold a domain that nothing else on this machine holds. Raises TimeoutError if none is free for ``patience`` s."""
    folder = Path(tempfile.gettempdir()) / "ros_test_domains"
    folder.mkdir(exist_ok=True)
    deadline = time.monotonic() + patience
    while True:
        for number in DOMAINS:
            with (folder / str(number)).open("w") as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    continue
                yield number
                return
        if time.monotonic() > deadline:
            raise TimeoutError(f"no ROS domain of {DOMAINS[0]} to {DOMAINS[-1]} is free within {patience:g} s")
        time.sleep(0.05)


@contextlib.contextmanager
def own_domain() -> Iterator[int]:
    """Hold a free domain, and put it in the environment of this process and what it starts."""
    with free_domain() as number:
        before = dict(os.environ)
        os.environ.update(ROS_DOMAIN_ID=str(number), ROS_AUTOMATIC_DISCOVERY_RANGE="LOCALHOST")
        try:
            yield number
        finally:
            os.environ.clear()
            os.environ.update(before)
