"""``BeamThinner``: a laser of fewer beams out of one of many."""

from __future__ import annotations

from sensor_msgs.msg import LaserScan

from dimos_ros import In, Module, Out, param
from dimos_ros.demo.scan_replay import RETAINED


class BeamThinner(Module):
    """Passes every so many beams of a scan on, the first among them."""

    scan_full: In[LaserScan] = In(qos=RETAINED)
    scan: Out[LaserScan] = Out(qos=RETAINED)

    keep_every: int = param(2, minimum=1, description="beams of which one is kept")

    def handle_scan_full(self, full: LaserScan) -> None:
        """Pass the scan on, its stamp and frame as they are."""
        every = self.keep_every
        thin = LaserScan(
            header=full.header,
            angle_min=full.angle_min,
            angle_increment=full.angle_increment * every,
            time_increment=full.time_increment * every,
            scan_time=full.scan_time,
            range_min=full.range_min,
            range_max=full.range_max,
            ranges=full.ranges[::every],
            intensities=full.intensities[::every],
        )
        thin.angle_max = thin.angle_min + thin.angle_increment * max(0, len(thin.ranges) - 1)
        self.scan.publish(thin)
