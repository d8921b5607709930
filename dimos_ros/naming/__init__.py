"""ROS names, namespaces and import paths; the wording of lists and values in messages. Imports no other room."""
