"""Composition of modules into blueprints, and the plan that a blueprint compiles to. Needs no ROS."""
