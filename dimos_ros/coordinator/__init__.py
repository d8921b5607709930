"""The coordinator: owns the desired state of a fleet and drives containers to it."""
