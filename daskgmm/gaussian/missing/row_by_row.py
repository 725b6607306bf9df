"""Arithmetic that gives a row the same bits whatever rows are beside it: sums in a fixed order.

Elementwise operations round alike everywhere; products by BLAS do not promise to, as their order
depends on the shapes.
"""

from __future__ import annotations

import numpy as np

from daskgmm.arrays import Array
from daskgmm.gaussian.kernels.whitened import LEAST
from daskgmm.gaussian.log_weights import NO_WEIGHT, log_weights
from daskgmm.gaussian.parameters import Parameters


def in_order(rows: Array, matrices: Array) -> Array:
    """Return products of rows (..., b, n) and matrices (..., n, m), summed in the order of n.

    That of a row has the same bits whatever rows are beside it, which libraries do not promise.
    """
    shape = np.broadcast_shapes(rows.shape[:-2], matrices.shape[:-2])
    found = np.zeros((*shape, rows.shape[-2], matrices.shape[-1]))
    for place in range(rows.shape[-1]):
        found += rows[..., place, None] * matrices[..., None, place, :]
    return found


def _squares(z: Array) -> Array:
    """Return squared norms of vectors (k, b, o), summed in the order of o."""
    found = np.zeros(z.shape[:2])
    for place in range(z.shape[2]):
        found += z[:, :, place] ** 2
    return found


def _log_distances(difference: Array, factors: Array) -> Array:
    """Return the logarithms of Mahalanobis distances (k, b) whose squares overflow, up to one sum.

    Differences (k, b, o) and factors are scaled before they are squared.
    """
    tiny = float(np.finfo(np.float64).tiny)
    own = np.maximum(np.abs(difference).max(axis=2, keepdims=True), tiny)
    size = np.abs(factors).reshape(len(factors), -1).max(axis=1)
    if factors.ndim == 3:
        z = in_order(difference / own, factors / size[:, None, None])
    else:
        z = difference / own * (factors / size[:, None])[:, None]
    squares = np.maximum(_squares(z), tiny)
    return np.asarray(0.5 * np.log(squares) + np.log(own[:, :, 0]) + np.log(size)[:, None])


def responsibilities_of(observed: Parameters, x: Array) -> Array:
    """Return responsibilities (k, b) of Gaussians for rows x (b, o), row by row to the bit."""
    factors, difference = observed.precisions_cholesky, x - observed.means[:, None]
    if factors.ndim == 3:
        scales, z = np.diagonal(factors, axis1=1, axis2=2), in_order(difference, factors)
    else:
        scales, z = factors, difference * factors[:, None]
    logarithms = log_weights(observed)
    with np.errstate(over="ignore", invalid="ignore"):
        joint = -0.5 * _squares(z)
        joint += (logarithms + np.log(np.abs(scales)).sum(axis=1))[:, None]
        beyond = np.flatnonzero(~(joint.max(axis=0) > LEAST))
    if len(beyond):
        distances = _log_distances(difference[:, beyond], factors)
        distances[logarithms <= NO_WEIGHT] = np.inf
        joint[:, beyond] = -np.inf
        joint[distances.argmin(axis=0), beyond] = 0.0
    gamma = np.exp(joint - joint.max(axis=0))
    total = np.zeros(gamma.shape[1])
    for own in gamma:
        total += own
    return np.asarray(gamma / total)
