"""``BeamThinner``: laser scans with fewer beams."""

from __future__ import annotations

from sensor_msgs.msg import LaserScan

from dimos_ros import In, Module, Out, param
from dimos_ros.demo.scan_replay import RETAINED


class BeamThinner(Module):
    """A filter that keeps one of ``keep_every`` beams of a scan, beginning with the first beam."""

    scan_full: In[LaserScan] = In(qos=RETAINED)
    scan: Out[LaserScan] = Out(qos=RETAINED)

    keep_every: int = param(2, minimum=1, description="one of this many beams is kept")

    def handle_scan_full(self, full: LaserScan) -> None:
        """Publish the thinned scan, with the stamp and frame of the full one."""
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
