"""Compiling blueprints in a process of their own, since that imports users' code and the coordinator runs none."""

from __future__ import annotations

import signal
import socket
from collections.abc import Iterable
from typing import Any

from dimos_ros.blueprint.compile_source import compile_source
from dimos_ros.blueprint.plan import Instance, Plan
from dimos_ros.blueprint.plan_load_request import plan_load_request
from dimos_ros.blueprint.source import BlueprintSource
from dimos_ros.container.class_lookup import ClassLookup
from dimos_ros.exceptions import BlueprintError, RequestTimeoutError
from dimos_ros.loading.load_request import LoadRequest
from dimos_ros.processes.channel import ChildEnd
from dimos_ros.processes.launcher import Launcher


async def compile_plan(
    launcher: Launcher, source: BlueprintSource, running: Iterable[Instance], timeout: float
) -> Plan:
    """The plan of a blueprint as its source is now, checked against what runs.

    Raises what importing and planning raise, in words, and BlueprintError after ``timeout`` seconds.
    """
    arguments = {"source": source.to_dict(), "running": Plan(tuple(running)).to_dict()}
    return await _in_child(launcher, "plan", source.blueprint or source.config, timeout, arguments)


async def compile_request(
    launcher: Launcher, request: LoadRequest, running: Iterable[Instance], timeout: float
) -> Plan:
    """The plan of one load request, as somebody makes it to the coordinator instead of to a container."""
    arguments = {"request": request.to_dict(), "running": Plan(tuple(running)).to_dict()}
    return await _in_child(launcher, "plan_request", request.plugin_name, timeout, arguments)


async def _in_child(launcher: Launcher, what: str, named: str, timeout: float, arguments: dict[str, Any]) -> Plan:
    child = await launcher.fork(f"{__name__}:serve", "blueprint", lambda event, data: None)
    try:
        return Plan.from_dict(await child.channel.ask(what, timeout, **arguments))
    except RequestTimeoutError:
        raise BlueprintError(f"{named} was not imported and planned within {timeout:g} s") from None
    finally:
        child.send_signal(signal.SIGKILL)


def serve(connection: socket.socket) -> int:
    """The child: plans what it is asked for."""
    ChildEnd(connection, {"plan": _plan, "plan_request": _plan_request}).serve()
    return 0


def _plan(source: dict[str, Any], running: dict[str, Any]) -> dict[str, Any]:
    return compile_source(BlueprintSource.from_dict(source), Plan.from_dict(running).instances).to_dict()


def _plan_request(request: dict[str, Any], running: dict[str, Any]) -> dict[str, Any]:
    asked = LoadRequest.from_dict(request)
    node_class = ClassLookup().find(asked.package_name, asked.plugin_name)
    return plan_load_request(asked, node_class, Plan.from_dict(running).instances).to_dict()
