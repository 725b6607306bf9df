"""Arithmetic that gives a row the same bits whatever rows are beside it: sums in a fixed order.

Elementwise operations round alike everywhere; products by BLAS do not promise to, as their order
depends on the shapes.
"""

from __future__ import annotations

import numpy as np

from daskgmm.arrays import Array
from daskgmm.gaussian.log_weights import log_weights
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


def responsibilities_of(observed: Parameters, x: Array) -> Array:
    """Return responsibilities (k, b) of Gaussians for rows x (b, o), row by row to the bit."""
    factors, difference = observed.precisions_cholesky, x - observed.means[:, None]
    if factors.ndim == 3:
        scales, z = np.diagonal(factors, axis1=1, axis2=2), in_order(difference, factors)
    else:
        scales, z = factors, difference * factors[:, None]
    joint = np.zeros(z.shape[:2])
    for place in range(z.shape[2]):
        joint -= 0.5 * z[:, :, place] ** 2
    joint += (log_weights(observed) + np.log(np.abs(scales)).sum(axis=1))[:, None]
    gamma = np.exp(joint - joint.max(axis=0))
    total = np.zeros(gamma.shape[1])
    for own in gamma:
        total += own
    return np.asarray(gamma / total)
