"""Images between two processes, reliable and best effort."""

from __future__ import annotations

from bench import modules
from bench.coordinator import running
from bench.domain import own_domain
from bench.figures import Goal, Result
from bench.pairs import Modules, measure, plain_nodes
from bench.scale import Scale

RELIABLE = (modules.ImageSender, modules.ImageReceiver)
BEST_EFFORT = (modules.BestEffortImageSender, modules.BestEffortImageReceiver)
KINDS = (
    ("vga", "reliable", "0.9 MB reliable", *RELIABLE),
    ("vga", "best_effort", "0.9 MB best effort", *BEST_EFFORT),
    ("hd", "reliable", "6.2 MB reliable", *RELIABLE),
    ("hd", "best_effort", "6.2 MB best effort", *BEST_EFFORT),
)


def run(scale: Scale) -> Result:
    """Send images at 10 Hz from a timer, and then as fast as possible."""
    result = Result("image", "Streams of images", "plain rclpy nodes with ROS's default transports")
    count, flat_out, rounds = scale.pick((20, 60, 2), (10, 30, 1), (3, 3, 1))
    for kind, reliability, title, sender, receiver in KINDS:
        with (
            own_domain(),
            running(modules.pair(sender, receiver, kind)) as coordinator,
            plain_nodes("/plain", kind, reliability) as rival,
        ):
            ours = Modules(coordinator, sender, receiver)
            figures = {pair: ([], [], []) for pair in (ours, rival)}
            for pair in figures:
                measure(pair, 3, 10.0)
            for _ in range(rounds):
                for pair, (latency, arrived, rate) in figures.items():
                    steady = measure(pair, count, 10.0)
                    latency += steady["latencies"]
                    arrived.append(100 * steady["count"] / count)
                    rate.append(measure(pair, flat_out, 0.0)["rate"])
        result.add(f"{title} at 10 Hz: latency", "ms", figures[ours][0], figures[rival][0], Goal("ratio", 0.25))
        complete = Goal("value", 100.0, at_least=True)
        result.add(f"{title} at 10 Hz: arrived", "%", figures[ours][1], figures[rival][1], complete)
        faster = Goal("ratio", 4.0, at_least=True)
        result.add(f"{title} flat out: arrived", "1/s", figures[ours][2], figures[rival][2], faster)
    result.notes.append(
        "Latency is that of the images that arrived. With ROS's default transports, most best-effort images are lost."
    )
    result.notes.append(
        "A rate is the number of images that arrived, divided by a time. The time begins when the first of them was "
        "sent, and ends when the last image was sent or arrived."
    )
    return result
