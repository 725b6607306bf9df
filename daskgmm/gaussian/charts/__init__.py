"""Coordinates of mixtures, for acceleration and for scores."""
