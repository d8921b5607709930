"""Streams of small messages between two processes: latency, rate and processor time."""

from __future__ import annotations

import contextlib

from bench import modules
from bench.coordinator import running
from bench.domain import own_domain
from bench.figures import Goal, Result
from bench.pairs import Modules, measure, plain_nodes
from bench.scale import Scale
from dimos_ros import autoconnect

KINDS = {
    "text": ("50 B", modules.TextSender, modules.TextReceiver),
    "scan": ("LaserScan, 720 beams", modules.ScanSender, modules.ScanReceiver),
}


def run(scale: Scale) -> Result:
    """At 100 Hz from a timer, and as many as go."""
    result = Result("stream", "Streams of small messages", "plain rclpy nodes with the same executor")
    at_100, flat_out, rounds = scale.pick((100, 2000, 8), (60, 1500, 2), (5, 20, 1))
    with contextlib.ExitStack() as stack:
        stack.enter_context(own_domain())
        blueprints = [kind.blueprint() for _, *pair in KINDS.values() for kind in pair]
        named = [blueprint.namespace(f"pair{number // 2}") for number, blueprint in enumerate(blueprints)]
        coordinator = stack.enter_context(running(autoconnect(*named)))
        for kind, (title, sender, receiver) in KINDS.items():
            ours = Modules(coordinator, sender, receiver)
            with plain_nodes(f"/plain_{kind}", kind) as rival:
                figures = {pair: ([], [], [], []) for pair in (ours, rival)}
                for _ in range(rounds):
                    for pair, (latency, processor, rate, processor_flat) in figures.items():
                        steady = measure(pair, at_100, 100.0)
                        latency += steady["latencies"]
                        processor.append(steady["processor"])
                        flat = measure(pair, flat_out, 0.0)
                        rate.append(flat["rate"])
                        processor_flat.append(flat["processor"])
            within_5 = Goal("ratio", 1.05)
            result.add(f"{title} at 100 Hz: latency", "ms", figures[ours][0], figures[rival][0], within_5)
            result.add(
                f"{title} at 100 Hz: processor time", "ms", figures[ours][1], figures[rival][1], Goal("ratio", 1.1)
            )
            result.add(
                f"{title} flat out: arrived",
                "1/s",
                figures[ours][2],
                figures[rival][2],
                Goal("ratio", 0.95, at_least=True),
            )
            result.add(
                f"{title} flat out: processor time", "ms", figures[ours][3], figures[rival][3], Goal("ratio", 1.1)
            )
    result.notes.append("Processor time is of both processes together, for each message that arrived.")
    return result
