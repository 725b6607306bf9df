"""Tied covariances: one for all components. T(x) = (1, x); Sxx is taken once for all."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

import daskgmm.gaussian.triangle as triangle
from daskgmm.gaussian.full import (
    absolute_factor,
    factor_of_precision,
    inverse_factor,
    relative_factor,
    triangular_coordinates,
    triangular_gradient,
    triangular_matrices,
)
from daskgmm.gaussian.structure import Structure, squared_norms
from daskgmm.gaussian.triangular import inverse_upper, squared, whitened

Array = NDArray[np.float64]


class Tied(Structure):
    """One covariance of shape (d, d) that all components share."""

    name = "tied"
    shared = True

    def n_statistics(self, d: int) -> int:
        return 1 + d

    def n_covariance_parameters(self, k: int, d: int) -> int:
        return triangle.size(d)

    def covariance_shape(self, k: int, d: int) -> tuple[int, ...]:
        return (d, d)

    def repeat(self, covariance: Array, k: int) -> Array:
        return covariance

    def factorise(self, covariances: Array) -> Array:
        return inverse_factor(covariances, None)

    def factorise_precisions(self, precisions: Array) -> Array:
        return factor_of_precision(precisions)

    def precisions(self, factors: Array) -> Array:
        return squared(factors)

    def covariances(self, factors: Array) -> Array:
        inverse = inverse_upper(factors)
        return inverse.T @ inverse

    def log_determinants(self, factors: Array, d: int) -> Array:
        return np.asarray(np.log(np.diagonal(factors)).sum())

    def bilinear_bounds(self, factors: Array, *points: Array) -> list[float]:
        absolute = np.abs(self.precisions(factors))
        return [
            float(np.einsum("ki,ij,kj->k", at, absolute, at).max()) for at in map(np.abs, points)
        ]

    def natural_quadratic(self, factors: Array, offsets: Array) -> tuple[Array, Array]:
        return (offsets @ factors) @ factors.T, np.empty((len(offsets), 0))

    def quadratic_filler(self, rows: Array, d: int, out: Array) -> Callable[[], None]:
        return lambda: None

    def whiten(self, difference: Array, factors: Array, component: int) -> Array:
        return squared_norms(factors.T @ difference)

    def second_moment(self, difference: Array, weights: Array) -> Array:
        return (difference * weights) @ difference.T

    def maximise(self, counts: Array, shifts: Array, second: Array, pooled: Array | None) -> Array:
        assert pooled is not None, "tied statistics need the pooled second moment"
        covariance = (pooled - (counts * shifts.T) @ shifts) / counts.sum()
        symmetric: Array = (covariance + covariance.T) / 2
        return symmetric

    def regularise(self, covariances: Array, amount: float, component: int | None = None) -> Array:
        return covariances + amount * np.eye(len(covariances))

    def precision_traces(self, factors: Array, d: int) -> Array:
        return np.asarray((factors**2).sum())

    def relative(self, anchor: Array, factors: Array) -> Array:
        return relative_factor(anchor, factors)

    def relative_scale(self, relative: Array, d: int) -> Array:
        return triangular_coordinates(relative)[None]

    def absolute_factors(self, anchor: Array, scale: Array, d: int) -> Array:
        return absolute_factor(anchor, triangular_matrices(scale[0], d))

    def scale_gradient(
        self, relative: Array, factors: Array, weights: Array, shifts: Array, covariances: Array
    ) -> Array:
        moments = covariances + (weights * shifts.T) @ shifts
        return triangular_gradient(relative, whitened(factors, moments))[None]

    def scale(self, covariances: Array, component: int | None) -> float:
        return float(np.abs(np.diagonal(covariances)).max())
