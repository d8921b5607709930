"""Benchmarks of this package beside its rivals, which are what people would use instead.

``python -m bench [NAME ...] [--quick]`` prints a table and writes bench/results/. Each benchmark is a file here with a
function ``run(scale)``, and measures ours and the rival in the same run. Most rivals are plain rclpy processes
(bench/rival.py). No benchmark passes or fails: it reports what it measured, and which goals it reached.
"""
