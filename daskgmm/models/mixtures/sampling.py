"""Rows drawn from a mixture."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from daskgmm.arrays import Array
from daskgmm.gaussian.covariance.structures import structure_of
from daskgmm.gaussian.parameters import Parameters
from daskgmm.gaussian.tails.tails import tail_of


def sample_mixture(
    parameters: Parameters,
    n: int,
    random: np.random.RandomState,
    box: tuple[Array, Array] | None = None,
) -> tuple[Array, NDArray[np.int64]]:
    """Draw n rows and their labels, ordered by component, with scikit-learn's use of `random`.

    Rows of the noise, whose label is -1, come last; they lie in the `box` from its lowest to its
    highest corner, (d,) each.
    """
    weights = parameters.weights
    if box is not None:
        weights = np.append(weights, parameters.noise_weight or 0.0)
    # Rounding may leave the sum above 1, which multinomial refuses.
    counts = random.multinomial(n, weights / max(1.0, weights.sum()))
    components = range(parameters.n_components)
    rows = [_draw(parameters, k, int(counts[k]), random) for k in components]
    labels = [np.full(counts[k], k) for k in components]
    if box is not None:
        rows.append(random.uniform(*box, size=(counts[-1], len(box[0]))))
        labels.append(np.full(counts[-1], -1))
    return np.vstack(rows), np.concatenate(labels).astype(np.int64)


def _draw(parameters: Parameters, k: int, count: int, random: np.random.RandomState) -> Array:
    structure = structure_of(parameters)
    shared = len(parameters.covariances) == 1
    covariance = parameters.covariances[0 if shared else k]
    rows = structure.precision.draw(parameters.means[k], covariance, count, random)
    tail = tail_of(parameters)
    if tail is None:
        return rows
    scales = np.sqrt(tail.draw_scales(parameters, k, count, random))
    scaled: Array = parameters.means[k] + (rows - parameters.means[k]) * scales[:, None]
    return scaled
