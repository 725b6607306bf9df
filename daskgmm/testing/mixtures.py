"""Mixtures for tests, of any structure of the table."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from daskgmm.gaussian.covariance.structure import Structure
from daskgmm.gaussian.parameters import Parameters

Array = NDArray[np.float64]


def random_mixture(structure: Structure, k: int, d: int, seed: int = 0) -> Parameters:
    """Return a mixture of k components of d features, which overlap."""
    random = np.random.default_rng(seed)
    noise = random.normal(size=(structure.n_covariances(k), d, 2 * d))
    matrices = noise @ noise.swapaxes(1, 2) / (2 * d) + 0.3 * np.eye(d)
    covariances = structure.precision.of_matrices(matrices)
    factors = structure.precision.factorise(covariances)
    weights, means = random.dirichlet(np.full(k, 5.0)), 2 * random.normal(size=(k, d))
    return Parameters(structure.name, weights, means, covariances, factors)
