"""The command line: the executable ``fleet`` and its twin ``ros2 dimos``, with one file for each verb."""
