"""``python -m dimos_ros.ros.internals``: what of rclpy's private parts works with the rclpy that is installed."""

import sys

from dimos_ros.ros.internals.table import main

sys.exit(main())
