"""Modules that send images from one process to another."""

from __future__ import annotations

from typing import Any

import numpy as np
from sensor_msgs.msg import Image

from dimos_ros import In, Module, Out, image_array, image_message, rpc


class Camera(Module):
    """A camera with ten frames a second; all pixels of a frame have one value."""

    dedicated = True
    frames: Out[Image] = Out(qos="sensor_data")

    def on_activate(self, state: Any) -> None:
        self.number = 0
        self.timer = self.create_timer(0.1, self.tick)

    def on_deactivate(self, state: Any) -> None:
        self.destroy_timer(self.timer)

    def tick(self) -> None:
        self.number += 1
        pixels = np.full((1080, 1920, 3), self.number % 256, dtype=np.uint8)
        self.frames.publish(image_message(pixels, "rgb8", stamp=self.get_clock().now().to_msg()))


class Viewer(Module):
    """A module that counts the frames that arrive unchanged."""

    dedicated = True
    frames: In[Image] = In(qos="sensor_data")
    seen = 0

    def handle_frames(self, message: Image) -> None:
        pixels = image_array(message)
        if (pixels == pixels[0, 0, 0]).all():
            self.seen += 1

    @rpc
    def count(self) -> int:
        """The number of frames so far."""
        return self.seen
