"""Triangular systems and products: half to a third of the work of general ones, as exact."""

from __future__ import annotations

import numpy as np
from scipy.linalg import blas, lapack

from daskgmm.arrays import Array

LEAST_SIZE = 16
"""Size d above which LAPACK, called matrix by matrix, is faster than NumPy's general solver, which
loops over the matrices in C."""

LARGE_SIZE = 64
"""Size d above which LAPACK is faster for U U^T: NumPy's products of small matrices are fast."""


def solve_upper(upper: Array, right: Array) -> Array:
    """Return the solutions of U X = B for upper triangular U.

    Parameters
    ----------
    upper : ndarray of shape (..., d, d)
        U, without zeros on the diagonals.
    right : ndarray of shape (..., d, m)
        B, with the same leading axes.
    """
    d, m = right.shape[-2:]
    if d < LEAST_SIZE:
        return np.asarray(np.linalg.solve(upper, right), np.float64)
    solved = np.empty(right.shape)
    stacks = upper.reshape(-1, d, d), right.reshape(-1, d, m), solved.reshape(-1, d, m)
    for matrix, known, out in zip(*stacks, strict=True):
        # LAPACK is column-major: it reads U as the lower triangular U^T without a copy.
        out[:] = lapack.dtrtrs(matrix.T, known, lower=1, trans=1)[0]
    return solved


def solve_lower(lower: Array, right: Array) -> Array:
    """Return the solutions of L X = B for lower triangular L; see `solve_upper`."""
    reversed_rows = solve_upper(lower[..., ::-1, ::-1], right[..., ::-1, :])
    return reversed_rows[..., ::-1, :]


def squared(upper: Array) -> Array:
    """Return U U^T for upper triangular U of shape (..., d, d), symmetric to the bit."""
    d = upper.shape[-1]
    if d < LARGE_SIZE:
        product: Array = upper @ upper.swapaxes(-1, -2)
        return product
    products = np.empty(upper.shape)
    for matrix, out in zip(upper.reshape(-1, d, d), products.reshape(-1, d, d), strict=True):
        half = np.triu(lapack.dlauum(matrix, lower=0)[0])
        np.add(half, half.T, out=out)
        out[np.diag_indices(d)] = np.diagonal(half)
    return products


def whitened(upper: Array, symmetric: Array) -> Array:
    """Return U^T S U for upper triangular U and symmetric S, both of shape (..., d, d)."""
    d = upper.shape[-1]
    if d < LEAST_SIZE:
        product: Array = upper.swapaxes(-1, -2) @ symmetric @ upper
        return product
    products = np.empty(upper.shape)
    stacks = (stack.reshape(-1, d, d) for stack in (upper, symmetric, products))
    for matrix, moment, out in zip(*stacks, strict=True):
        half = blas.dtrmm(1.0, matrix.T, moment.T, lower=1)
        out[:] = blas.dtrmm(1.0, matrix.T, half, side=1, lower=1, trans_a=1, overwrite_b=1)
    return products


def inverse_upper(upper: Array) -> Array:
    """Return the inverses, upper triangular too, of matrices of shape (..., d, d)."""
    d = upper.shape[-1]
    if d < LEAST_SIZE:
        return np.asarray(np.linalg.inv(upper), np.float64)
    inverse = np.empty(upper.shape)
    for matrix, out in zip(upper.reshape(-1, d, d), inverse.reshape(-1, d, d), strict=True):
        out[:] = lapack.dtrtri(matrix.T, lower=1)[0].T
    return inverse
