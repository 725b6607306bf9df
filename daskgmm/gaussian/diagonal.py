"""Diagonal covariances: features are independent in a component. T(x) = (1, x, x^2)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from daskgmm.gaussian.structure import SingularError, Structure, squared_norms

Array = NDArray[np.float64]


def inverse_deviations(variances: Array) -> Array:
    """Return 1 / sqrt(variance); raise `SingularError` where a variance is not positive."""
    bad = ~((variances > 0) & np.isfinite(variances))
    if bad.any():
        raise SingularError(int(np.argwhere(bad)[0][0]))
    return 1.0 / np.sqrt(variances)


class Diagonal(Structure):
    """Variances of shape (k, d)."""

    name = "diag"

    def n_statistics(self, d: int) -> int:
        return 1 + 2 * d

    def n_covariance_parameters(self, k: int, d: int) -> int:
        return k * d

    def covariance_shape(self, k: int, d: int) -> tuple[int, ...]:
        return (k, d)

    def repeat(self, covariance: Array, k: int) -> Array:
        return np.tile(np.diagonal(covariance), (k, 1))

    def factorise(self, covariances: Array) -> Array:
        return inverse_deviations(covariances)

    def factorise_precisions(self, precisions: Array) -> Array:
        return np.sqrt(precisions)

    def precisions(self, factors: Array) -> Array:
        return factors**2

    def covariances(self, factors: Array) -> Array:
        return factors**-2

    def log_determinants(self, factors: Array, d: int) -> Array:
        return np.asarray(np.log(factors).sum(-1))

    def bilinear_bounds(self, factors: Array, *points: Array) -> list[float]:
        return [float(((factors * at) ** 2).sum(-1).max()) for at in points]

    def natural_quadratic(self, factors: Array, offsets: Array) -> tuple[Array, Array]:
        precisions = factors**2
        return precisions * offsets, -0.5 * precisions

    def quadratic_filler(self, rows: Array, d: int, out: Array) -> Callable[[], None]:
        z = rows[:d]

        def fill() -> None:
            np.multiply(z, z, out)

        return fill

    def whiten(self, difference: Array, factors: Array, component: int) -> Array:
        whitened = difference * factors[component][:, None]
        return squared_norms(whitened)

    def second_moment(self, difference: Array, weights: Array) -> Array:
        return (difference * difference) @ weights

    def maximise(self, counts: Array, shifts: Array, second: Array, pooled: Array | None) -> Array:
        return np.maximum(second / counts[:, None] - shifts**2, 0.0)

    def regularise(self, covariances: Array, amount: float, component: int | None = None) -> Array:
        regular = covariances.copy()
        regular[slice(None) if component is None else component] += amount
        return regular

    def precision_traces(self, factors: Array, d: int) -> Array:
        return np.asarray((factors**2).sum(-1))

    def relative(self, anchor: Array, factors: Array) -> Array:
        ratios: Array = anchor / factors
        return ratios

    def relative_scale(self, relative: Array, d: int) -> Array:
        scale: Array = np.sqrt(2.0) * np.log(relative)
        return scale

    def absolute_factors(self, anchor: Array, scale: Array, d: int) -> Array:
        factors: Array = anchor * np.exp(-scale / np.sqrt(2.0))
        return factors

    def scale_gradient(
        self, relative: Array, factors: Array, weights: Array, shifts: Array, covariances: Array
    ) -> Array:
        whitened = factors**2 * (covariances + shifts**2)
        gradient: Array = weights[:, None] * (whitened - 1.0) / np.sqrt(2.0)
        return gradient

    def scale(self, covariances: Array, component: int | None) -> float:
        return float(np.abs(covariances[component]).max())
