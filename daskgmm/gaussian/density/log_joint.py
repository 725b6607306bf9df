"""Log densities of the components of a mixture at a few points, straight from their distances."""

from __future__ import annotations

import numpy as np

from daskgmm.arrays import Array
from daskgmm.gaussian.covariance.structures import structure_of
from daskgmm.gaussian.kernels.kernel import LOG_2_PI
from daskgmm.gaussian.log_weights import log_weights
from daskgmm.gaussian.parameters import Parameters
from daskgmm.gaussian.tails.tails import tail_of


def squared_distances(parameters: Parameters, points: Array) -> Array:
    """Return the squared Mahalanobis distances of points (b, d) from the means, shape (k, b)."""
    structure, factors = structure_of(parameters), parameters.precisions_cholesky
    measure = structure.precision.squared_distances
    found = [
        measure((points - mean).T, factors, 0 if structure.shared else k)
        for k, mean in enumerate(parameters.means)
    ]
    return np.stack(found)


def log_joint(parameters: Parameters, distances: Array) -> Array:
    r"""Return :math:`\log \pi_k p_k(x)` for squared distances (k, b), shape (k, b)."""
    tail = tail_of(parameters)
    if tail is not None:
        densities = tail.densities(parameters, 0.0)
        bound = densities.bind(distances + densities.shift[:, None])
        bound.densities()
        return bound.of_components().copy()
    precision, d = structure_of(parameters).precision, parameters.n_features
    constants = log_weights(parameters) - 0.5 * d * LOG_2_PI
    constants = constants + precision.log_determinants(parameters.precisions_cholesky, d)
    joint: Array = constants[:, None] - 0.5 * distances
    return joint
