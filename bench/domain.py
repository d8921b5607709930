"""ROS domains of a measurement's own, so that no other ROS of this machine takes part."""

from __future__ import annotations

import contextlib
import fcntl
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

DOMAINS = range(1, 101)
"""Domains whose ports lie below the range that the system gives to clients."""
LOCKS = Path(tempfile.gettempdir()) / "ros_test_domains"
"""The tests take domains by the same locks."""


@contextlib.contextmanager
def own_domain() -> Iterator[int]:
    """A domain that is free, in the environment of this process and what it starts."""
    LOCKS.mkdir(exist_ok=True)
    for number in DOMAINS:
        with (LOCKS / str(number)).open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            before = dict(os.environ)
            os.environ.update(ROS_DOMAIN_ID=str(number), ROS_AUTOMATIC_DISCOVERY_RANGE="LOCALHOST")
            try:
                yield number
            finally:
                os.environ.clear()
                os.environ.update(before)
            return
    raise RuntimeError("no ROS domain is free")
