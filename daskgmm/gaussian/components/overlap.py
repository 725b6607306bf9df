"""Overlap of Gaussian components."""

from __future__ import annotations

import numpy as np
from scipy.linalg import cholesky, solve_triangular

from daskgmm.arrays import Array


def bhattacharyya(
    means: Array, covariances: Array, other_means: Array, other_covariances: Array
) -> Array:
    r"""Return the Bhattacharyya distances of two sets of Gaussians (Fukunaga 1990, section 3.4).

    .. math::
        \frac{1}{8} \delta^T \bar\Sigma^{-1} \delta + \frac{1}{2} \log \frac{|\bar\Sigma|}
        {\sqrt{|\Sigma_i| |\Sigma_j|}}, \quad \bar\Sigma = \frac{\Sigma_i + \Sigma_j}{2}

    It is the negative logarithm of :math:`\int \sqrt{p_i p_j}`, which is 1 for equal densities,
    and no invertible affine map of the features changes it.

    Parameters
    ----------
    means, other_means : ndarray of shape (k, d), (l, d)
    covariances, other_covariances : ndarray of shape (k, d, d), (l, d, d)

    Returns
    -------
    ndarray of shape (k, l)
        Infinite where a covariance is singular.
    """
    own, others = np.linalg.slogdet(covariances)[1], np.linalg.slogdet(other_covariances)[1]
    distances = np.full((len(means), len(other_means)), np.inf)
    for i, (mean, covariance) in enumerate(zip(means, covariances, strict=True)):
        for j in np.flatnonzero(np.isfinite(others) & np.isfinite(own[i])):
            factor = cholesky((covariance + other_covariances[j]) / 2, lower=True)
            whitened = solve_triangular(factor, mean - other_means[j], lower=True)
            log_determinant = 2 * np.log(np.diagonal(factor)).sum()
            distances[i, j] = whitened @ whitened / 8 + log_determinant / 2
            distances[i, j] -= (own[i] + others[j]) / 4
    return np.asarray(np.maximum(distances, 0.0))
