"""Logarithms of weights, finite where a weight is 0."""

from __future__ import annotations

import numpy as np

from daskgmm.arrays import Array
from daskgmm.gaussian.parameters import Parameters

NO_WEIGHT = -1e300
"""Finite stand-in for log 0, below every log density."""


def log_weights(parameters: Parameters) -> Array:
    """Return the logarithms of the weights; `NO_WEIGHT` for 0."""
    if parameters.log_weights is not None:
        return parameters.log_weights
    weights = parameters.weights
    logarithms: Array = np.log(np.where(weights > 0, weights, 1.0))
    return np.where(weights > 0, logarithms, NO_WEIGHT)
