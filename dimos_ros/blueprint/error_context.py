"""Adding the instance to an error that was raised about it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from dimos_ros.exceptions import BlueprintError
from dimos_ros.naming.instance_key import InstanceKey


@contextlib.contextmanager
def about(key: InstanceKey) -> Iterator[None]:
    """Attach the instance to any BlueprintError raised inside, so that a caller can find its line in a file."""
    try:
        yield
    except BlueprintError as error:
        error.instance = error.instance or str(key)
        raise
