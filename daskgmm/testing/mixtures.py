"""Random mixtures for tests, and their densities by SciPy."""

from __future__ import annotations

import numpy as np
from scipy.stats import multivariate_normal

from daskgmm.arrays import Array
from daskgmm.gaussian.components.merging import covariance_matrices
from daskgmm.gaussian.components.projection import projected
from daskgmm.gaussian.covariance.structure import Structure
from daskgmm.gaussian.parameters import Parameters


def random_mixture(structure: Structure, k: int, d: int, seed: int = 0) -> Parameters:
    """Return a mixture of k overlapping components of d features."""
    random = np.random.default_rng(seed)
    noise = random.normal(size=(structure.n_covariances(k), d, 2 * d))
    matrices = noise @ noise.swapaxes(1, 2) / (2 * d) + 0.3 * np.eye(d)
    covariances = structure.precision.of_matrices(matrices)
    weights, means = random.dirichlet(np.full(k, 5.0)), 2 * random.normal(size=(k, d))
    mixture = projected(structure.name, weights, means, covariances)
    assert mixture is not None, "the covariances are positive definite"
    return mixture


def log_joint(parameters: Parameters, rows: Array) -> Array:
    """Return log(pi_k N(x | mu_k, Sigma_k)) of rows (n, d) by SciPy, shape (k, n)."""
    components = zip(
        parameters.weights, parameters.means, covariance_matrices(parameters), strict=True
    )
    return np.array(
        [
            np.log(weight) + multivariate_normal(mean, covariance).logpdf(rows)
            for weight, mean, covariance in components
        ]
    )
