"""Spherical covariances: one variance a component. T(x) = (1, x, ||x||^2)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from daskgmm.gaussian.diagonal import inverse_deviations
from daskgmm.gaussian.structure import Structure, squared_norms

Array = NDArray[np.float64]


class Spherical(Structure):
    """Variances of shape (k,)."""

    name = "spherical"

    def n_statistics(self, d: int) -> int:
        return d + 2

    def n_covariance_parameters(self, k: int, d: int) -> int:
        return k

    def covariance_shape(self, k: int, d: int) -> tuple[int, ...]:
        return (k,)

    def repeat(self, covariance: Array, k: int) -> Array:
        return np.full(k, np.trace(covariance) / len(covariance))

    def factorise(self, covariances: Array) -> Array:
        return inverse_deviations(covariances)

    def factorise_precisions(self, precisions: Array) -> Array:
        return np.sqrt(precisions)

    def precisions(self, factors: Array) -> Array:
        return factors**2

    def covariances(self, factors: Array) -> Array:
        return factors**-2

    def log_determinants(self, factors: Array, d: int) -> Array:
        return d * np.log(factors)

    def bilinear_bounds(self, factors: Array, *points: Array) -> list[float]:
        return [float((factors**2 * (at**2).sum(-1)).max()) for at in points]

    def natural_quadratic(self, factors: Array, offsets: Array) -> tuple[Array, Array]:
        precisions = factors[:, None] ** 2
        return precisions * offsets, -0.5 * precisions

    def quadratic_filler(self, rows: Array, d: int, out: Array) -> Callable[[], None]:
        z, squared = rows[:d], out[0]

        def fill() -> None:
            np.einsum("ib,ib->b", z, z, out=squared)

        return fill

    def whiten(self, difference: Array, factors: Array, component: int) -> Array:
        distances: Array = factors[component] ** 2 * squared_norms(difference)
        return distances

    def second_moment(self, difference: Array, weights: Array) -> Array:
        return np.atleast_1d(squared_norms(difference) @ weights)

    def maximise(self, counts: Array, shifts: Array, second: Array, pooled: Array | None) -> Array:
        total = second[:, 0] / counts - (shifts**2).sum(1)
        variances: Array = np.maximum(total, 0.0) / shifts.shape[1]
        return variances

    def regularise(self, covariances: Array, amount: float, component: int | None = None) -> Array:
        regular = covariances.copy()
        regular[slice(None) if component is None else component] += amount
        return regular

    def precision_traces(self, factors: Array, d: int) -> Array:
        return d * factors**2

    def relative(self, anchor: Array, factors: Array) -> Array:
        ratios: Array = anchor / factors
        return ratios

    def relative_scale(self, relative: Array, d: int) -> Array:
        scale: Array = np.sqrt(2.0 * d) * np.log(relative)[:, None]
        return scale

    def absolute_factors(self, anchor: Array, scale: Array, d: int) -> Array:
        factors: Array = anchor * np.exp(-scale[:, 0] / np.sqrt(2.0 * d))
        return factors

    def scale_gradient(
        self, relative: Array, factors: Array, weights: Array, shifts: Array, covariances: Array
    ) -> Array:
        d = shifts.shape[1]
        whitened = factors**2 * (d * covariances + (shifts**2).sum(-1))
        gradient: Array = weights * (whitened - d) / np.sqrt(2.0 * d)
        return gradient[:, None]

    def scale(self, covariances: Array, component: int | None) -> float:
        return float(np.abs(covariances[component]).max())
