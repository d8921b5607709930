"""``Arm``: a simulated arm whose joints move at a bounded speed."""

from __future__ import annotations

import math
import threading
from typing import Any

from sensor_msgs.msg import JointState
from std_msgs.msg import Header

from dimos_ros import Module, Out, param, rpc


class Arm(Module):
    """A simulated arm that publishes the angles of its joints, in radians."""

    joint_states: Out[JointState]

    joints: list[str] = param(["shoulder", "elbow", "wrist"], read_only=True, description="names of the joints")
    speed: float = param(0.5, minimum=0.0, description="greatest speed of a joint, in radians per second")
    rate: float = param(20.0, minimum=0.1, maximum=1000.0, read_only=True, description="messages per second")

    def on_configure(self, state: Any) -> None:
        self._lock = threading.Lock()  # calls and the timer run at the same time
        self._angles = dict.fromkeys(self.joints, 0.0)
        self._targets = dict(self._angles)

    def on_activate(self, state: Any) -> None:
        self._timer = self.create_timer(1.0 / self.rate, self._move)

    def on_deactivate(self, state: Any) -> None:
        self.destroy_timer(self._timer)

    @rpc
    def move_to(self, joint: str, angle: float) -> float:
        """Start to move a joint to an angle in radians, and return the seconds that the move takes."""
        if joint not in self._targets:
            raise ValueError(f"this arm has no joint {joint!r:.80}; it has {', '.join(self._targets)}")
        if not math.isfinite(angle):
            raise ValueError(f"an angle is a finite number of radians, not {angle}")
        with self._lock:
            self._targets[joint] = angle
            way = abs(angle - self._angles[joint])
        return way / self.speed if self.speed else math.inf

    def _move(self) -> None:
        step = self.speed / self.rate
        with self._lock:
            for joint, target in self._targets.items():
                way = target - self._angles[joint]
                self._angles[joint] = target if abs(way) <= step else self._angles[joint] + math.copysign(step, way)
            angles = dict(self._angles)
        header = Header(stamp=self.get_clock().now().to_msg())
        self.joint_states.publish(JointState(header=header, name=list(angles), position=list(angles.values())))
