"""Values of settings, for the command line to list without an import of the arithmetic."""

from __future__ import annotations

CRITERIA = {"bic": "BIC", "aic": "AIC", "icl": "ICL", "heldout": "held-out likelihood"}
"""Criteria of a sweep, and their names in sentences."""

HIGHER_IS_BETTER = frozenset({"heldout"})
"""Criteria whose highest value is the best; of the others it is the lowest."""

COVARIANCES = (
    "full", "tied", "diag", "spherical",
    "EII", "EEI", "VEI", "EVI", "VEE", "EVE", "VVE", "EEV", "VEV", "EVV",
)  # fmt: skip
"""Covariance structures that are always in `gaussian.STRUCTURES`, in its order."""

ALL = "all"
"""Name that stands for all covariance structures in a sweep."""

STARTS = ("kmeans", "k-means++", "random", "random_from_data")
"""Starts of the components: values of `init_params`."""

ADAPTED = ("weights", "means", "covariances")
"""Parameters that can be adapted: values of `parameters` of `map_adapt`."""

TAILS = ("contaminated",)
"""Forms of components that make room for outliers: values of `tails`."""

DTYPES = ("float32", "float64", "uint8")
"""Types of probabilities in outputs; uint8 has 254 or 255 steps."""
