"""Checkpoints of a fit, and how one is recognised."""
