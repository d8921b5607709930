"""``python -m dimos_ros.ros.internals``: show which private parts of rclpy work with the installed version."""

import sys

from dimos_ros.ros.internals.table import main

sys.exit(main())
