"""Rows with noise of known variance: densities of what is seen, moments of what is behind it."""
