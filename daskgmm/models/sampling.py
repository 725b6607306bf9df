"""Rows drawn from a mixture."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from daskgmm.gaussian.covariance.structures import structure_of
from daskgmm.gaussian.parameters import Parameters

Array = NDArray[np.float64]


def sample_mixture(
    parameters: Parameters, n: int, random: np.random.RandomState
) -> tuple[Array, NDArray[np.int64]]:
    """Draw n rows and their labels, ordered by component, with scikit-learn's use of `random`."""
    # Rounding may leave the sum above 1, which multinomial refuses.
    probabilities = parameters.weights / max(1.0, parameters.weights.sum())
    counts = random.multinomial(n, probabilities)
    rows = [_draw(parameters, k, int(count), random) for k, count in enumerate(counts)]
    return np.vstack(rows), np.repeat(np.arange(len(counts), dtype=np.int64), counts)


def _draw(parameters: Parameters, k: int, count: int, random: np.random.RandomState) -> Array:
    structure = structure_of(parameters)
    covariance = parameters.covariances[0 if structure.shared else k]
    return structure.precision.draw(parameters.means[k], covariance, count, random)
