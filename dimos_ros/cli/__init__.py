"""What people type: the executable ``fleet`` and its twin ``ros2 dimos``, one verb a file."""
