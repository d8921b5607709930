"""Child processes that start quickly, and the messages between them and their parent.

A child is a fork of a process that has already imported the modules which the child needs. This room knows
neither blueprints nor modules.
"""
