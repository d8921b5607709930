"""Benchmarks: what this package takes, beside what people would use instead, measured in the same run.

``python -m bench [NAME ...] [--quick]`` prints a table and writes bench/results/. A benchmark is a file here with a
function ``run(scale)``; rivals are plain rclpy processes (bench/rival.py). None of them passes or fails: they say what
was measured and which goals that reaches.
"""
