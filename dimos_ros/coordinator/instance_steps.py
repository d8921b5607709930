"""The steps of one instance: load it, run a transition, take it down.

Each step has a bound in time. Where the bound passes, ``load`` looks at the container before it reports a failure.
"""

from __future__ import annotations

import time

from dimos_ros.container.protocol import ListHosted, Load, Transition, Unload
from dimos_ros.coordinator.containers import Container
from dimos_ros.coordinator.records import FAILED, RESTARTING, STARTING, STOPPING, Record
from dimos_ros.coordinator.settings import Settings
from dimos_ros.exceptions import ContainerDiedError, DimosError, ModuleFailedError, RequestTimeoutError

MARGIN = 1.0
"""Seconds for the answer to arrive after the bound of a step."""


async def load(record: Record, container: Container, settings: Settings) -> None:
    """Construct the instance's node in a container from its load request. Raises ModuleFailedError."""
    request = record.instance.request
    record.container, record.incarnation = container, record.incarnation + 1
    if record.health != RESTARTING:
        record.health = STARTING
    try:
        loaded = await container.ask(Load(request), settings.load_timeout)
    except RequestTimeoutError:
        hosted = await container.ask(ListHosted(), MARGIN)
        found = next((node for node in hosted.nodes if node.full_node_name == record.key.full_node_name), None)
        if found is None:
            raise failed(record, f"its constructor still runs after {settings.load_timeout:g} s") from None
        loaded = found
    except DimosError as error:
        raise failed(record, str(error), error) from error
    record.node_id, record.is_managed = loaded.unique_id, loaded.is_managed
    record.state, record.loaded_at = loaded.state, time.monotonic()


async def transition(record: Record, name: str, settings: Settings) -> None:
    """Run a lifecycle transition; do nothing for a node without a lifecycle. Raises ModuleFailedError."""
    if not record.is_managed:
        return
    container = record.container
    if container is None:
        raise failed(record, record.last_error or "its process ended")
    bound = settings.transition_timeout
    try:
        request = Transition(record.node_id, record.key.full_node_name, name, bound)
        await container.ask(request, bound + MARGIN)
    except (RequestTimeoutError, TimeoutError):
        raise failed(record, f"on_{name} still runs after {bound:g} s") from None
    except DimosError as error:
        raise failed(record, str(error), error) from error


async def take_down(record: Record, settings: Settings) -> str:
    """Stop and destroy the instance's node, by force if it does not stop in time.

    Returns a note for the answer, or "" if the node stopped in time. Does not raise if the process has ended.
    """
    container = record.container
    if record.health != RESTARTING:
        record.health = STOPPING
    if container is None or not record.node_id:
        return ""
    bound = settings.stop_timeout
    try:
        request = Unload(record.node_id, record.key.full_node_name, bound)
        report = await container.ask(request, 2 * bound + MARGIN)
    except ContainerDiedError as error:
        return str(error)
    except (RequestTimeoutError, DimosError) as error:
        return f"it could not be unloaded and remains in {container.name}: {error}"
    if not report.success:
        return report.error_message
    return report.detail if report.forced else ""


def failed(record: Record, why: str, cause: DimosError | None = None) -> ModuleFailedError:
    """Note a failure on the record; return the error that names the instance and the cause, with its traceback."""
    record.health, record.last_error = FAILED, why
    error = ModuleFailedError(f"{record}: {why}")
    error.remote_traceback = cause.remote_traceback if cause is not None else ""
    return error
