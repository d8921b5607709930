"""Planning in a child process: it imports user code, which the coordinator must not run itself."""

from __future__ import annotations

import signal
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dimos_ros.blueprint.compile_source import compile_source
from dimos_ros.blueprint.instance import Instance
from dimos_ros.blueprint.plan import Plan
from dimos_ros.blueprint.plan_load_request import plan_load_request
from dimos_ros.blueprint.source import BlueprintSource
from dimos_ros.container.class_lookup import ClassLookup
from dimos_ros.exceptions import BlueprintError, ContainerDiedError, RequestTimeoutError
from dimos_ros.loading.load_request import LoadRequest
from dimos_ros.processes.channel import ChildEnd
from dimos_ros.processes.child import serve
from dimos_ros.processes.launcher import Launcher
from dimos_ros.processes.message import Message, Protocol, Request
from dimos_ros.processes.supervisor import how_it_ended

DEATH_SECONDS = 2.0
"""Seconds to wait for the exit status of a process after its channel has closed."""


@dataclass(frozen=True)
class Planned(Message):
    """Answer with the plan that the child made."""

    plan: Plan

    def to_data(self) -> dict[str, Any]:
        return self.plan.to_dict()

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Planned:
        return cls(Plan.from_dict(data))


@dataclass(frozen=True)
class PlanSource(Request[Planned]):
    """Request to plan the blueprint of a source, together with the instances that run."""

    answer = Planned
    source: BlueprintSource
    running: tuple[Instance, ...]

    @property
    def subject(self) -> str:
        return self.source.blueprint or self.source.config

    def to_data(self) -> dict[str, Any]:
        return {"source": self.source.to_dict(), "running": [instance.to_dict() for instance in self.running]}

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> PlanSource:
        return cls(BlueprintSource.from_dict(data["source"]), tuple(map(Instance.from_dict, data["running"])))


@dataclass(frozen=True)
class PlanLoadRequest(Request[Planned]):
    """Request to plan a load request that a client sent to the coordinator instead of a container."""

    answer = Planned
    request: LoadRequest
    running: tuple[Instance, ...]

    @property
    def subject(self) -> str:
        return self.request.plugin_name

    def to_data(self) -> dict[str, Any]:
        return {"request": self.request.to_dict(), "running": [instance.to_dict() for instance in self.running]}

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> PlanLoadRequest:
        return cls(LoadRequest.from_dict(data["request"]), tuple(map(Instance.from_dict, data["running"])))


PROTOCOL = Protocol(1, (PlanSource, PlanLoadRequest))


async def plan_in_child(launcher: Launcher, asked: PlanSource | PlanLoadRequest, timeout: float) -> Plan:
    """Return the plan of the current source code, checked against the running instances.

    Raises the errors of importing and planning. Raises BlueprintError after ``timeout`` seconds, and if the child
    process ends early.
    """
    child = await launcher.fork(f"{__name__}:run", "blueprint", PROTOCOL, _ignore)
    try:
        return (await child.channel.ask(asked, timeout)).plan
    except RequestTimeoutError:
        raise BlueprintError(f"{asked.subject} was not imported and planned within {timeout:g} s") from None
    except ContainerDiedError:
        how = await how_it_ended(child, DEATH_SECONDS)
        raise BlueprintError(f"{asked.subject} was not planned: the process that imports it {how}") from None
    finally:
        if child.is_alive:
            child.send_signal(signal.SIGKILL)


def run(connection: socket.socket) -> int:
    """Answer requests to plan until the parent ends this process; return the exit code."""
    channel = ChildEnd(connection, PROTOCOL, {PlanSource: _plan_source, PlanLoadRequest: _plan_load_request})
    return serve(channel, lambda: None)


def _plan_source(asked: PlanSource) -> Planned:
    return Planned(compile_source(asked.source, asked.running))


def _plan_load_request(asked: PlanLoadRequest) -> Planned:
    node_class = ClassLookup().find(asked.request.package_name, asked.request.plugin_name)
    return Planned(plan_load_request(asked.request, node_class, asked.running))


def _ignore(event: object) -> None:
    """Do nothing, because the protocol has no events."""
