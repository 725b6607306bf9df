"""Full covariances: every component has its own. T(x) = (1, x, x_i x_j for i <= j)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray
from scipy.linalg import lapack

import daskgmm.gaussian.triangle as triangle
from daskgmm.gaussian.structure import SingularError, Structure, squared_norms
from daskgmm.gaussian.triangular import inverse_upper, solve_upper, squared, whitened

Array = NDArray[np.float64]


SQRT_2 = float(np.sqrt(2.0))

PIVOT_NOISE = 16
"""Multiples of d eps, relative to its column's variance, that a squared pivot must exceed."""


def inverse_factor(covariance: Array, component: int | None) -> Array:
    """Return upper triangular U with covariance^-1 = U U^T, from the Cholesky factor.

    The inverse of a triangular factor is 1e2 to 1e4 times more exact at high condition
    numbers than one built from the inverse of the covariance.
    """
    lower, failed = lapack.dpotrf(covariance, lower=1, clean=1)
    if failed or not np.isfinite(lower).all():
        raise SingularError(component)
    # A pivot of the size of the entries' rounding is noise, whatever sign it came out with.
    noise = PIVOT_NOISE * len(covariance) * np.finfo(np.float64).eps
    if (np.diagonal(lower) ** 2 < noise * np.diagonal(covariance)).any():
        raise SingularError(component)
    inverse, failed = lapack.dtrtri(lower, lower=1)
    if failed:
        raise SingularError(component)
    factor: Array = np.ascontiguousarray(inverse.T)
    return factor


def factor_of_precision(precision: Array) -> Array:
    """Return upper triangular U with precision = U U^T (a reversed Cholesky factor)."""
    reversed_factor = np.linalg.cholesky(precision[::-1, ::-1])
    factor: Array = np.ascontiguousarray(reversed_factor[::-1, ::-1])
    return factor


def relative_factor(anchor: Array, factors: Array) -> Array:
    """Return T = L_0^-1 L of shape (..., d, d), lower triangular, from factors U = L^-T."""
    if factors is anchor:
        return np.broadcast_to(np.eye(anchor.shape[-1]), anchor.shape)
    return solve_upper(factors, anchor).swapaxes(-1, -2)


def absolute_factor(anchor: Array, ratio: Array) -> Array:
    """Return U from T = L_0^-1 L."""
    factor: Array = np.triu(anchor @ inverse_upper(ratio.swapaxes(-1, -2)))
    return factor


def triangular_coordinates(ratio: Array) -> Array:
    """Return lower triangular matrices (..., d, d) as (..., d (d + 1) / 2), diagonals first."""
    rows, columns = triangle.below_diagonal(ratio.shape[-1])
    diagonal = np.diagonal(ratio, axis1=-2, axis2=-1)
    return np.concatenate([SQRT_2 * np.log(diagonal), ratio[..., rows, columns]], axis=-1)


def triangular_matrices(coordinates: Array, d: int) -> Array:
    """Return the matrices of `triangular_coordinates`."""
    rows, columns = triangle.below_diagonal(d)
    matrices = np.zeros((*coordinates.shape[:-1], d, d))
    matrices[..., rows, columns] = coordinates[..., d:]
    diagonal = np.arange(d)
    matrices[..., diagonal, diagonal] = np.exp(coordinates[..., :d] / SQRT_2)
    return matrices


def triangular_gradient(ratio: Array, second: Array) -> Array:
    """Return the gradient in `triangular_coordinates` of a unit weight.

    By the chain rule it is T^-T (B - I), B the second moment, whitened by L, where T is below
    its diagonal, and that times T_ii on it.
    """
    d = ratio.shape[-1]
    rows, columns = triangle.below_diagonal(d)
    gradient = second - np.eye(d)
    if (ratio != np.eye(d)).any():  # not at the anchor itself
        gradient = solve_upper(ratio.swapaxes(-1, -2), gradient)
    diagonal = np.diagonal(gradient * ratio, axis1=-2, axis2=-1) / SQRT_2
    return np.concatenate([diagonal, gradient[..., rows, columns]], axis=-1)


class Full(Structure):
    """Full covariances, shape (k, d, d)."""

    name = "full"

    def n_statistics(self, d: int) -> int:
        return 1 + d + triangle.size(d)

    def n_covariance_parameters(self, k: int, d: int) -> int:
        return k * triangle.size(d)

    def covariance_shape(self, k: int, d: int) -> tuple[int, ...]:
        return (k, d, d)

    def repeat(self, covariance: Array, k: int) -> Array:
        return np.tile(covariance, (k, 1, 1))

    def factorise(self, covariances: Array) -> Array:
        return np.stack([inverse_factor(c, k) for k, c in enumerate(covariances)])

    def factorise_precisions(self, precisions: Array) -> Array:
        return np.stack([factor_of_precision(precision) for precision in precisions])

    def precisions(self, factors: Array) -> Array:
        return squared(factors)

    def covariances(self, factors: Array) -> Array:
        inverse = inverse_upper(factors)
        return inverse.swapaxes(-1, -2) @ inverse

    def log_determinants(self, factors: Array, d: int) -> Array:
        diagonals = np.diagonal(factors, axis1=-2, axis2=-1)
        return np.asarray(np.log(diagonals).sum(-1))

    def bilinear_bounds(self, factors: Array, *points: Array) -> list[float]:
        absolute = np.abs(self.precisions(factors))
        shape = absolute.shape[:2]
        return [
            float(np.einsum("ki,kij,kj->k", at, absolute, at).max())
            for at in (np.broadcast_to(np.abs(each), shape) for each in points)
        ]

    def natural_quadratic(self, factors: Array, offsets: Array) -> tuple[Array, Array]:
        # P mu = U U^T mu, by component k.
        projected = np.einsum("kji,kj->ki", factors, offsets)
        linear = np.einsum("kij,kj->ki", factors, projected)
        coefficients = -triangle.pack(self.precisions(factors))
        rows, columns = triangle.indices(offsets.shape[1])
        coefficients[:, rows == columns] *= 0.5
        return linear, coefficients

    def quadratic_filler(self, rows: Array, d: int, out: Array) -> Callable[[], None]:
        half, lags = d // 2, (d + 1) // 2
        b = rows.shape[1]
        down, along = rows.strides
        z, shifted = rows[:d], as_strided(rows, (lags, d, b), (down, down, along))
        products = out[: lags * d].reshape(lags, d, b)
        last = out[lags * d :]

        def fill() -> None:
            rows[d:] = rows[:half]
            np.multiply(z, shifted, products)
            if len(last):
                np.multiply(rows[:half], rows[half:d], last)

        return fill

    def whiten(self, difference: Array, factors: Array, component: int) -> Array:
        return squared_norms(factors[component].T @ difference)

    def second_moment(self, difference: Array, weights: Array) -> Array:
        return triangle.pack((difference * weights) @ difference.T)

    def maximise(self, counts: Array, shifts: Array, second: Array, pooled: Array | None) -> Array:
        moments = triangle.unpack(second / counts[:, None], shifts.shape[1])
        return moments - shifts[:, :, None] * shifts[:, None, :]

    def regularise(self, covariances: Array, amount: float, component: int | None = None) -> Array:
        regular = covariances.copy()
        chosen = regular if component is None else regular[component : component + 1]
        diagonal = np.arange(covariances.shape[-1])
        chosen[:, diagonal, diagonal] += amount
        return regular

    def precision_traces(self, factors: Array, d: int) -> Array:
        return np.asarray((factors**2).sum((-1, -2)))

    def relative(self, anchor: Array, factors: Array) -> Array:
        return relative_factor(anchor, factors)

    def relative_scale(self, relative: Array, d: int) -> Array:
        return triangular_coordinates(relative)

    def absolute_factors(self, anchor: Array, scale: Array, d: int) -> Array:
        return absolute_factor(anchor, triangular_matrices(scale, d))

    def scale_gradient(
        self, relative: Array, factors: Array, weights: Array, shifts: Array, covariances: Array
    ) -> Array:
        moments = covariances + shifts[:, :, None] * shifts[:, None, :]
        return weights[:, None] * triangular_gradient(relative, whitened(factors, moments))

    def scale(self, covariances: Array, component: int | None) -> float:
        return float(np.abs(np.diagonal(covariances[component])).max())
