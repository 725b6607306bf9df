"""Volumes and shapes of covariances, in logarithms: a determinant of 200 features underflows."""

from __future__ import annotations

import numpy as np

from daskgmm.arrays import Array
from daskgmm.gaussian.covariance.algebra.precision import SingularError


def log_volumes(variances: Array) -> Array:
    r"""Return log |A|^(1/d) of diagonal matrices, or of eigenvalues, (m, d); shape (m,).

    Raises
    ------
    SingularError
        If a variance is not positive.
    """
    low = ~(variances > 0).all(axis=1)
    if low.any():
        raise SingularError(int(np.argmax(low)))
    return np.asarray(np.log(variances).mean(axis=1), np.float64)


def log_volumes_of_matrices(matrices: Array) -> Array:
    """Return log |S|^(1/d) of matrices (m, d, d), shape (m,); raise as `log_volumes` does."""
    signs, logarithms = np.linalg.slogdet(matrices)
    low = ~((signs > 0) & np.isfinite(logarithms))
    if low.any():
        raise SingularError(int(np.argmax(low)))
    return np.asarray(logarithms / matrices.shape[-1], np.float64)


def log_mean(shares: Array, logarithms: Array) -> float:
    """Return the logarithm of the mean, weighted by shares (m,), of what has these logarithms."""
    largest = logarithms.max()
    return float(largest + np.log(shares @ np.exp(logarithms - largest)))
