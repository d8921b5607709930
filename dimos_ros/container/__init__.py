"""Containers: processes that host nodes and load more of them on request.

This room knows the ``composition_interfaces`` contract, classes, executors and processes; it knows
nothing of blueprints.
"""
