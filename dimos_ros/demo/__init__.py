"""The demo: a fleet maps MIT's Infinite Corridor from a real laser log."""
