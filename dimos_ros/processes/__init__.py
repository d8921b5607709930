"""Processes that are cheap to start: forks of a parent that has imported what they need.

This room knows processes and messages between them, and neither blueprints nor modules.
"""
