"""The coordinator: owns the desired state of a fleet and drives containers to it."""

PRELOAD = "dimos_ros.coordinator.preload:preload"
"""Import path of the function by which the fork server gets ready. It is text, so that naming it imports nothing."""
