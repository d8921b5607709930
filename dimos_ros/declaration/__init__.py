"""The declarations of a module's class body: streams, parameters, references, calls. Pure data that needs no ROS."""
