"""Acceleration of EM: fewer passes to the same maximum."""
