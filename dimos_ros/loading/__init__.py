"""The load request: all that a module is told, as a value that travels between processes. Needs no ROS."""
