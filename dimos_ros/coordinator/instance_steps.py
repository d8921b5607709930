"""What is done to one instance: load, transitions, taking it down. Each step is bounded, and after a timeout
looks at the state before it says what happened."""

from __future__ import annotations

import time

from dimos_ros.coordinator.containers import Container
from dimos_ros.coordinator.records import FAILED, RESTARTING, STARTING, STOPPING, Record
from dimos_ros.coordinator.settings import Settings
from dimos_ros.exceptions import ContainerDiedError, DimosError, ModuleFailedError, RequestTimeoutError

MARGIN = 1.0
"""Seconds beyond a step's own bound that its answer may take on the way."""


async def load(record: Record, container: Container, settings: Settings) -> None:
    """Construct the instance's node in a container, with its load request. Raises ModuleFailedError."""
    request = record.instance.request
    record.container, record.incarnation = container, record.incarnation + 1
    if record.health != RESTARTING:
        record.health = STARTING
    try:
        answer = await container.ask("load", settings.load_timeout, request=request.to_dict())
    except RequestTimeoutError:
        loaded = await container.ask("names", MARGIN)
        number = next((int(n) for n, name in loaded.items() if name == record.key.full_node_name), 0)
        if not number:
            raise failed(record, f"its constructor still runs after {settings.load_timeout:g} s") from None
        answer = {"success": True, "unique_id": number, "is_managed": True, "state": "unconfigured"}
    except DimosError as error:
        raise failed(record, str(error)) from error
    if not answer["success"]:
        raise failed(record, answer["error_message"])
    record.node_id, record.is_managed = answer["unique_id"], answer["is_managed"]
    record.state, record.loaded_at = answer["state"], time.monotonic()


async def transition(record: Record, name: str, settings: Settings) -> None:
    """Run a lifecycle transition. Raises ModuleFailedError."""
    if not record.is_managed:
        return
    container = record.container
    if container is None:
        raise failed(record, record.last_error or "its process ended")
    bound = settings.transition_timeout
    try:
        record.state = await container.ask(
            "transition", bound + MARGIN, unique_id=record.node_id, name=name, timeout=bound
        )
    except (RequestTimeoutError, TimeoutError):
        raise failed(record, f"on_{name} still runs after {bound:g} s") from None
    except DimosError as error:
        raise failed(record, str(error)) from error


async def take_down(record: Record, settings: Settings) -> str:
    """Stop and destroy the instance's node, by force where it does not stop in time.

    Returns what is to be told of it: "" when it went by itself. Never raises for a process that is gone.
    """
    container = record.container
    if record.health != RESTARTING:
        record.health = STOPPING
    if container is None or not record.node_id:
        return ""
    bound = settings.stop_timeout
    try:
        report = await container.ask("unload", 2 * bound + MARGIN, unique_id=record.node_id, timeout=bound)
    except ContainerDiedError:
        return "its process had ended"
    except (RequestTimeoutError, DimosError) as error:
        return f"it was left behind in {container.name}: {error}"
    if not report["success"]:
        return str(report["error_message"])
    return str(report["detail"]) if report["forced"] else ""


def failed(record: Record, why: str) -> ModuleFailedError:
    """Note a failure on the record, and the error that names the instance and its cause."""
    record.health, record.last_error = FAILED, why
    return ModuleFailedError(f"{record}: {why}")
