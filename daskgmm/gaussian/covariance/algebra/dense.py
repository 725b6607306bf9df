"""Covariance matrices, (m, d, d), with triangular factors of their inverses."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lapack

import daskgmm.gaussian.covariance.algebra.packed as packed
from daskgmm.arrays import Array
from daskgmm.gaussian.covariance.algebra.precision import Charted, SingularError, squared_norms
from daskgmm.gaussian.covariance.algebra.triangular import (
    LEAST_SIZE,
    inverse_upper,
    solve_lower,
    solve_upper,
    squared,
    whitened,
)

SQRT_2 = float(np.sqrt(2.0))

PIVOT_NOISE = 16
"""Least squared pivot, in units of d eps times its column's variance."""


class Dense(Charted):
    """Any positive definite matrices."""

    detail = 2
    requirement = "symmetric, positive-definite"

    def shape(self, d: int) -> tuple[int, ...]:
        return (d, d)

    def n_parameters(self, d: int) -> int:
        return packed.size(d)

    def of_matrices(self, matrices: Array) -> Array:
        return matrices

    def matrices(self, covariances: Array, d: int) -> Array:
        return covariances

    def diagonals(self, covariances: Array, d: int) -> Array:
        return np.diagonal(covariances, axis1=-2, axis2=-1)

    def factorise(self, covariances: Array) -> Array:
        if covariances.shape[-1] < LEAST_SIZE:
            found = _inverse_factors(covariances)
            if found is not None:
                return found
        return np.stack([inverse_factor(matrix, m) for m, matrix in enumerate(covariances)])

    def factorise_precisions(self, precisions: Array) -> Array:
        return np.stack([factor_of_precision(precision) for precision in precisions])

    def are_positive(self, precisions: Array) -> bool:
        return all(
            np.allclose(matrix, matrix.T) and bool((np.linalg.eigvalsh(matrix) > 0).all())
            for matrix in precisions
        )

    def precisions(self, factors: Array) -> Array:
        return squared(factors)

    def covariances(self, factors: Array) -> Array:
        inverse = inverse_upper(factors)
        return inverse.swapaxes(-1, -2) @ inverse

    def log_determinants(self, factors: Array, d: int) -> Array:
        diagonals = np.diagonal(factors, axis1=-2, axis2=-1)
        return np.asarray(np.log(diagonals).sum(-1))

    def traces(self, factors: Array, d: int) -> Array:
        return np.asarray((factors**2).sum((-1, -2)))

    def bilinear_bounds(self, factors: Array, *points: Array) -> list[Array]:
        absolute = np.abs(self.precisions(factors))
        return [np.einsum("ki,kij,kj->k", at, absolute, at) for at in map(np.abs, points)]

    def multiply_precision(self, factors: Array, vectors: Array) -> Array:
        # k: components, broadcast from 1 where they share a factor; i and j: features.
        inner = np.einsum("kji,kj->ki", factors, vectors)
        return np.asarray(np.einsum("kij,kj->ki", factors, inner), np.float64)

    def squared_distances(self, difference: Array, factors: Array, index: int) -> Array:
        return squared_norms(factors[index].T @ difference)

    def multiply_ut(self, factors: Array, vectors: Array) -> Array:
        return np.asarray(factors.swapaxes(-1, -2) @ vectors[..., None], np.float64)[..., 0]

    def multiply_u(self, factors: Array, vectors: Array) -> Array:
        return np.asarray(factors @ vectors[..., None], np.float64)[..., 0]

    def solve_ut(self, factors: Array, vectors: Array) -> Array:
        if len(factors) == 1:
            return solve_lower(factors[0].T, vectors.T).T
        return solve_lower(factors.swapaxes(-1, -2), vectors[..., None])[..., 0]

    def solve_u(self, factors: Array, vectors: Array) -> Array:
        if len(factors) == 1:
            return solve_upper(factors[0], vectors.T).T
        return solve_upper(factors, vectors[..., None])[..., 0]

    def raised(self, covariances: Array, amount: float, index: int | None = None) -> Array:
        regular = covariances.copy()
        chosen = regular if index is None else regular[index : index + 1]
        diagonal = np.arange(covariances.shape[-1])
        chosen[:, diagonal, diagonal] += amount
        return regular

    def halved(self, covariance: Array, d: int, part: float) -> tuple[Array, Array]:
        values, vectors = np.linalg.eigh(covariance)
        axis = part * np.sqrt(max(values[-1], 0.0)) * vectors[:, -1]
        return axis, covariance - np.outer(axis, axis)

    def relative(self, anchor: Array, factors: Array) -> Array:
        if factors is anchor:
            return np.broadcast_to(np.eye(anchor.shape[-1]), anchor.shape)
        return solve_upper(factors, anchor).swapaxes(-1, -2)

    def relative_scale(self, relative: Array, d: int) -> Array:
        rows, columns = packed.below_diagonal(d)
        diagonal = np.diagonal(relative, axis1=-2, axis2=-1)
        return np.concatenate([SQRT_2 * np.log(diagonal), relative[..., rows, columns]], axis=-1)

    def absolute_factors(self, anchor: Array, scale: Array, d: int) -> Array:
        ratios = _triangular_matrices(scale, d)
        return np.asarray(np.triu(anchor @ inverse_upper(ratios.swapaxes(-1, -2))), np.float64)

    def scale_gradient(
        self, relative: Array, factors: Array, weights: Array, shifts: Array, covariances: Array
    ) -> Array:
        if len(factors) == len(weights):
            moments = covariances + shifts[:, :, None] * shifts[:, None, :]
            return weights[:, None] * _triangular_gradient(relative, whitened(factors, moments))
        moments = covariances + (weights * shifts.T) @ shifts
        return _triangular_gradient(relative, whitened(factors, moments))

    def draw(self, mean: Array, covariance: Array, n: int, random: np.random.RandomState) -> Array:
        # NumPy's check has an absolute tolerance, which variances of 1e18 are beyond.
        return random.multivariate_normal(mean, covariance, n, check_valid="ignore")


def inverse_factor(covariance: Array, index: int) -> Array:
    """Return upper triangular U with covariance^-1 = U U^T, from the Cholesky factor.

    At high condition numbers it is 1e2 to 1e4 times more exact than the Cholesky factor of the
    inverse of the covariance.
    """
    lower, failed = lapack.dpotrf(covariance, lower=1, clean=1)
    if failed or not np.isfinite(lower).all():
        raise SingularError(index)
    # A pivot of the size of the entries' rounding is noise: it might as well be negative.
    if _are_noise(lower, covariance).any():
        raise SingularError(index)
    inverse, failed = lapack.dtrtri(lower, lower=1)
    if failed:
        raise SingularError(index)
    factor: Array = np.ascontiguousarray(inverse.T)
    return factor


def _inverse_factors(covariances: Array) -> Array | None:
    """Return `inverse_factor` of each of (m, d, d), all in one call; None if one is singular."""
    try:
        lower: Array = np.linalg.cholesky(np.asarray(covariances, np.float64))
    except np.linalg.LinAlgError:
        return None
    if not np.isfinite(lower).all() or _are_noise(lower, covariances).any():
        return None
    return np.ascontiguousarray(inverse_upper(lower.swapaxes(-1, -2)))


def _are_noise(lower: Array, covariances: Array) -> NDArray[np.bool_]:
    """Return which squared pivots (..., d) are of the size of the rounding of their column."""
    noise = PIVOT_NOISE * covariances.shape[-1] * np.finfo(np.float64).eps
    pivots = np.diagonal(lower, axis1=-2, axis2=-1) ** 2
    small: NDArray[np.bool_] = pivots < noise * np.diagonal(covariances, axis1=-2, axis2=-1)
    return small


def factor_of_precision(precision: Array) -> Array:
    """Return upper triangular U with precision = U U^T (a reversed Cholesky factor)."""
    reversed_factor = np.linalg.cholesky(precision[::-1, ::-1])
    factor: Array = np.ascontiguousarray(reversed_factor[::-1, ::-1])
    return factor


def _triangular_matrices(coordinates: Array, d: int) -> Array:
    """Return the lower triangular matrices T (..., d, d) with these `Dense.relative_scale`."""
    rows, columns = packed.below_diagonal(d)
    matrices = np.zeros((*coordinates.shape[:-1], d, d))
    matrices[..., rows, columns] = coordinates[..., d:]
    diagonal = np.arange(d)
    matrices[..., diagonal, diagonal] = np.exp(coordinates[..., :d] / SQRT_2)
    return matrices


def _triangular_gradient(ratio: Array, second: Array) -> Array:
    """Return the gradient in the coordinates of `Dense.relative_scale` for a weight of 1.

    With T = L_0^-1 L and B the second moment whitened by L, the log-likelihood of a row is
    -log|T| - tr(B)/2, and its gradient in T is T^-T (B - I) below the diagonal. On the diagonal the
    coordinate is sqrt(2) log T_ii: times T_ii / sqrt(2).
    """
    d = ratio.shape[-1]
    rows, columns = packed.below_diagonal(d)
    gradient = second - np.eye(d)
    if (ratio != np.eye(d)).any():  # the anchor itself has T = I
        gradient = solve_upper(ratio.swapaxes(-1, -2), gradient)
    diagonal = np.diagonal(gradient * ratio, axis1=-2, axis2=-1) / SQRT_2
    return np.concatenate([diagonal, gradient[..., rows, columns]], axis=-1)
