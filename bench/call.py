"""Calls to another module, in another process and in the same container."""

from __future__ import annotations

from bench.coordinator import running
from bench.domain import own_domain
from bench.figures import Goal, Result
from bench.modules import Caller, Echo
from bench.rivals import Rival
from bench.scale import Scale
from dimos_ros import autoconnect


class FarEcho(Echo):
    """An echo in a container of its own."""

    dedicated = True


def run(scale: Scale) -> Result:
    """Measure a call without arguments that returns a number. Ours and the rival take turns."""
    result = Result("call", "Calls", "a plain rclpy service of two processes, EventsExecutor on both sides")
    rounds, count = scale.pick((8, 500), (4, 300), (1, 20))
    far, near, rival = [], [], []
    fleet = autoconnect(
        autoconnect(FarEcho.blueprint(), Caller.blueprint()).namespace("far"),
        autoconnect(Echo.blueprint(), Caller.blueprint()).namespace("near"),
    )
    with own_domain(), running(fleet) as coordinator, Rival("server"), Rival("client") as client:
        callers = {name: coordinator.get_instance(Caller, namespace=name) for name in ("far", "near")}
        for measured, measure in (
            (far, callers["far"].measure.within(120.0)),
            (rival, lambda count: client.ask("measure", count)),
            (near, callers["near"].measure.within(120.0)),
        ) * rounds:
            measure(20)
            measured += measure(count)
    result.add("two processes", "ms", far, rival, Goal("ratio", 1.3), Goal("p99_ratio", 2.0))
    result.add("one container", "ms", near, rival, Goal("ratio", 0.5))
    return result
