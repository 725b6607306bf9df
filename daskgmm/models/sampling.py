"""Rows drawn from a mixture."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from daskgmm.gaussian.parameters import Parameters

Array = NDArray[np.float64]


def sample_mixture(
    parameters: Parameters, n: int, random: np.random.RandomState
) -> tuple[Array, NDArray[np.int64]]:
    """Draw n rows, ordered by component, with scikit-learn's use of the generator.

    Returns
    -------
    rows : ndarray of shape (n, d)
    labels : ndarray of shape (n,)
    """
    # Rounding may leave the sum above 1, which multinomial refuses.
    probabilities = parameters.weights / max(1.0, parameters.weights.sum())
    counts = random.multinomial(n, probabilities)
    rows = [_draw(parameters, k, int(count), random) for k, count in enumerate(counts)]
    return np.vstack(rows), np.repeat(np.arange(len(counts), dtype=np.int64), counts)


def _draw(parameters: Parameters, k: int, count: int, random: np.random.RandomState) -> Array:
    mean = parameters.means[k]
    if parameters.structure == "tied":
        return random.multivariate_normal(mean, parameters.covariances, count)
    if parameters.structure == "full":
        return random.multivariate_normal(mean, parameters.covariances[k], count)
    noise = random.standard_normal(size=(count, len(mean)))
    drawn: Array = mean + noise * np.sqrt(parameters.covariances[k])
    return drawn
