"""Images made in numpy, converted from an array to a message and back."""

from __future__ import annotations

import array
import time
from collections.abc import Callable

import numpy as np
from sensor_msgs.msg import Image

from bench.figures import Goal, Result
from bench.scale import Scale
from bench.traffic import SIZES
from dimos_ros import image_array, image_message


def run(scale: Scale) -> Result:
    """Measure the helpers beside the fastest way without them, and beside the most natural one."""
    result = Result("numpy_image", "Images made in numpy", "Image.data = array.array('B', pixels.tobytes())")
    rounds = scale.pick(100, 40, 3)
    slow_rounds = scale.pick(5, 2, 1)
    for name, shape in SIZES.items():
        pixels = np.random.default_rng(1).integers(0, 255, shape, dtype=np.uint8)
        title = {"vga": "0.9 MB", "hd": "6.2 MB"}[name]
        ways: dict[str, tuple[Callable[[], object], list[float]]] = {
            "ours": (lambda pixels=pixels: image_message(pixels, "rgb8"), []),
            "bytes": (lambda pixels=pixels: _by_bytes(pixels), []),
        }
        for _ in range(rounds):
            for make, taken in ways.values():
                taken.append(_time(make))
        natural = [_time(lambda pixels=pixels: _naturally(pixels)) for _ in range(slow_rounds)]
        ours, by_bytes = ways["ours"][1], ways["bytes"][1]
        result.add(f"{title}: array to message", "ms", ours, by_bytes, Goal("ratio", 1.0))
        result.add(f"{title}: array to message, rival giving it the array", "ms", ours, natural)
        message = image_message(pixels, "rgb8")
        views = [_time(lambda message=message: image_array(message)) for _ in range(rounds)]
        plain = [_time(lambda m=message: np.array(m.data).reshape(m.height, m.width, 3)) for _ in range(rounds)]
        result.add(f"{title}: message to array, rival by numpy.array(message.data)", "ms", views, plain)
    return result


def _by_bytes(pixels: np.ndarray) -> Image:
    height, width, channels = pixels.shape
    message = Image(height=height, width=width, step=width * channels, encoding="rgb8")
    message.data = array.array("B", pixels.tobytes())
    return message


def _naturally(pixels: np.ndarray) -> Image:
    message = Image()
    message.data = pixels.reshape(-1)
    return message


def _time(make: Callable[[], object]) -> float:
    before = time.perf_counter()
    made = make()
    taken = time.perf_counter() - before
    del made
    return taken * 1e3
