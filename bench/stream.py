"""Streams of small messages between two processes: latency, rate and processor time."""

from __future__ import annotations

import time

from bench import modules
from bench.coordinator import running
from bench.domain import own_domain
from bench.figures import Goal, Result
from bench.pairs import Modules, measure, plain_nodes
from bench.scale import Scale

KINDS = (
    ("text", "50 B", modules.TextSender, modules.TextReceiver),
    ("scan", "LaserScan, 720 beams", modules.ScanSender, modules.ScanReceiver),
)


def run(scale: Scale) -> Result:
    """Send messages at 100 Hz from a timer, and then as fast as possible.

    Several pairs are measured, because each pair of processes has its own pace.
    """
    result = Result("stream", "Streams of small messages", "plain rclpy nodes with the same executor")
    at_100, flat_out, rounds, pairs = scale.pick((100, 2000, 2, 4), (60, 1500, 1, 1), (5, 20, 1, 1))
    settle_seconds = scale.pick(2.0, 1.0, 0.0)
    for kind, title, sender, receiver in KINDS:
        ours, rival = ([], [], [], []), ([], [], [], [])
        for _ in range(pairs):
            with (
                own_domain(),
                running(modules.pair(sender, receiver, kind)) as coordinator,
                plain_nodes("/plain", kind) as plain,
            ):
                both = [(ours, Modules(coordinator, sender, receiver)), (rival, plain)]
                for _, pair in both:
                    measure(pair, 5, 100.0)
                time.sleep(settle_seconds)  # the first processes still discover the last ones
                for _ in range(rounds):
                    for (latency, processor, rate, processor_flat), pair in both:
                        steady = measure(pair, at_100, 100.0)
                        latency += steady["latencies"]
                        processor.append(steady["processor"])
                        flat = measure(pair, flat_out, 0.0)
                        rate.append(flat["rate"])
                        processor_flat.append(flat["processor"])
                    both.reverse()
        for name, unit, goal, of_ours, of_rival in zip(
            ("at 100 Hz: latency", "at 100 Hz: processor time", "flat out: arrived", "flat out: processor time"),
            ("ms", "ms", "1/s", "ms"),
            (Goal("ratio", 1.05), Goal("ratio", 1.1), Goal("ratio", 0.95, at_least=True), Goal("ratio", 1.1)),
            ours,
            rival,
            strict=True,
        ):
            result.add(f"{title} {name}", unit, of_ours, of_rival, goal)
    result.notes.append("Processor time is that of both processes together, for each message that arrived.")
    if pairs > 1:
        result.notes.append(f"The figures are from {pairs} pairs of processes, measured one after the other.")
    return result
