"""Names that settings have, for the command line to list without loading the arithmetic."""

from __future__ import annotations

CRITERIA = {"bic": "BIC", "aic": "AIC", "icl": "ICL", "heldout": "held-out likelihood"}
"""What the best model of a sweep may be chosen by, and how sentences name it."""

HIGHER_IS_BETTER = frozenset({"heldout"})
"""Criteria of which the highest is the best; of the others it is the lowest."""

COVARIANCES = ("full", "tied", "diag", "spherical")
"""The covariance structures that are always in `gaussian.structures.STRUCTURES`, in its order."""

STARTS = ("kmeans", "k-means++", "random", "random_from_data")
"""How the components of a start are found: values of `init_params`."""

DTYPES = ("float32", "float64", "uint8")
"""Types in which probabilities are written; uint8 in 254 or 255 steps."""
