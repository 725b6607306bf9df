"""Rows that miss values: densities of what is observed, moments of what is expected."""
