"""Errors that carry the instance which they are about."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from dimos_ros.exceptions import BlueprintError
from dimos_ros.naming.instance_key import InstanceKey


@contextlib.contextmanager
def about(key: InstanceKey) -> Iterator[None]:
    """A BlueprintError raised within is about this instance, so that who knows where it was written can say so."""
    try:
        yield
    except BlueprintError as error:
        error.instance = error.instance or str(key)
        raise
