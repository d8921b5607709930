"""The coordinator: owns the desired state of a fleet and drives containers to it."""

PRELOAD = "dimos_ros.coordinator.preload:preload"
"""Import path of the function that the fork server runs before its first fork. As text, it imports nothing."""
