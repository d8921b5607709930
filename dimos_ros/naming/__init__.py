"""ROS names, namespaces, import paths, and how messages word lists and values. Knows nothing of the other rooms."""
