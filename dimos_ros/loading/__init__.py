"""The load request: all that a module is given, as a value that travels between processes. Needs no ROS."""
