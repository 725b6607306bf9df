"""Clusters that a command starts, or finds running."""
