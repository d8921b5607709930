"""What a module's class body declares: streams, parameters, references, calls. Pure data that needs no ROS."""
