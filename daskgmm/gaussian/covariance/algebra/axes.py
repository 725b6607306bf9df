"""Covariances as variances along the axes, (m, d), or as one variance, (m, 1)."""

from __future__ import annotations

import numpy as np

from daskgmm.arrays import Array
from daskgmm.gaussian.covariance.algebra.precision import Charted, SingularError, squared_norms


class AlongAxes(Charted):
    r"""Variances of shape (m, d); factors are the inverse standard deviations.

    With :math:`\log N = -\log \sigma_i - (x_i - \mu_i)^2 / 2 \sigma_i^2` the Fisher information of
    :math:`\log \sigma_i` is 2, so that :math:`\sqrt 2 \log \sigma_i` is the coordinate, and the
    gradient in it :math:`((x_i - \mu_i)^2 / \sigma_i^2 - 1) / \sqrt 2`.
    """

    detail = 1
    requirement = "positive"

    def shape(self, d: int) -> tuple[int, ...]:
        return (d,)

    def n_parameters(self, d: int) -> int:
        return d

    def of_matrices(self, matrices: Array) -> Array:
        return np.diagonal(matrices, axis1=-2, axis2=-1).copy()

    def matrices(self, covariances: Array, d: int) -> Array:
        matrices: Array = np.eye(d) * self.diagonals(covariances, d)[:, None, :]
        return matrices

    def diagonals(self, covariances: Array, d: int) -> Array:
        return np.broadcast_to(covariances, (len(covariances), d))

    def factorise(self, covariances: Array) -> Array:
        bad = ~((covariances > 0) & np.isfinite(covariances))
        if bad.any():
            raise SingularError(int(np.argwhere(bad)[0][0]))
        return 1.0 / np.sqrt(covariances)

    def factorise_precisions(self, precisions: Array) -> Array:
        return np.sqrt(precisions)

    def are_positive(self, precisions: Array) -> bool:
        return bool((precisions > 0).all())

    def precisions(self, factors: Array) -> Array:
        return factors**2

    def covariances(self, factors: Array) -> Array:
        return factors**-2

    def log_determinants(self, factors: Array, d: int) -> Array:
        return np.asarray(np.log(factors).sum(-1))

    def traces(self, factors: Array, d: int) -> Array:
        return np.asarray((factors**2).sum(-1))

    def bilinear_bounds(self, factors: Array, *points: Array) -> list[Array]:
        return [((factors * at) ** 2).sum(-1) for at in points]

    def multiply_precision(self, factors: Array, vectors: Array) -> Array:
        return factors**2 * vectors

    def squared_distances(self, difference: Array, factors: Array, index: int) -> Array:
        return squared_norms(difference * factors[index][:, None])

    def multiply_ut(self, factors: Array, vectors: Array) -> Array:
        return vectors * factors

    def multiply_u(self, factors: Array, vectors: Array) -> Array:
        return vectors * factors

    def solve_ut(self, factors: Array, vectors: Array) -> Array:
        return vectors / factors

    def solve_u(self, factors: Array, vectors: Array) -> Array:
        return vectors / factors

    def raised(self, covariances: Array, amount: float, index: int | None = None) -> Array:
        regular = covariances.copy()
        regular[slice(None) if index is None else index] += amount
        return regular

    def halved(self, covariance: Array, d: int, part: float) -> tuple[Array, Array]:
        variances = np.broadcast_to(covariance, d)
        longest = int(np.argmax(variances))
        axis = np.zeros(d)
        axis[longest] = part * np.sqrt(variances[longest])
        # A spherical half loses a d-th of the squared shift, as both halves keep the mean variance.
        return axis, covariance - (axis**2 if len(covariance) == d else axis[longest] ** 2 / d)

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
        if len(factors) == len(weights):
            whitened = factors**2 * (covariances + shifts**2)
            return np.asarray(weights[:, None] * (whitened - 1.0) / np.sqrt(2.0), np.float64)
        whitened = factors**2 * (covariances + weights @ shifts**2)
        return np.asarray((whitened - 1.0) / np.sqrt(2.0), np.float64)

    def draw(self, mean: Array, covariance: Array, n: int, random: np.random.RandomState) -> Array:
        noise = random.standard_normal(size=(n, len(mean)))
        drawn: Array = mean + noise * np.sqrt(covariance)
        return drawn


class Isotropic(AlongAxes):
    r"""One variance for all axes, shape (m, 1).

    As `AlongAxes`, with a Fisher information of 2 d of :math:`\log \sigma`.
    """

    detail = 0

    def shape(self, d: int) -> tuple[int, ...]:
        return (1,)

    def external_shape(self, d: int) -> tuple[int, ...]:
        return ()

    def n_parameters(self, d: int) -> int:
        return 1

    def of_matrices(self, matrices: Array) -> Array:
        total = np.trace(matrices, axis1=-2, axis2=-1)[:, None]
        return np.asarray(total / matrices.shape[-1], np.float64)

    def log_determinants(self, factors: Array, d: int) -> Array:
        return d * np.log(factors[:, 0])

    def traces(self, factors: Array, d: int) -> Array:
        return d * factors[:, 0] ** 2

    def bilinear_bounds(self, factors: Array, *points: Array) -> list[Array]:
        return [factors[:, 0] ** 2 * (at**2).sum(-1) for at in points]

    def squared_distances(self, difference: Array, factors: Array, index: int) -> Array:
        distances: Array = factors[index, 0] ** 2 * squared_norms(difference)
        return distances

    def relative_scale(self, relative: Array, d: int) -> Array:
        scale: Array = np.sqrt(2.0 * d) * np.log(relative)
        return scale

    def absolute_factors(self, anchor: Array, scale: Array, d: int) -> Array:
        factors: Array = anchor * np.exp(-scale / np.sqrt(2.0 * d))
        return factors

    def scale_gradient(
        self, relative: Array, factors: Array, weights: Array, shifts: Array, covariances: Array
    ) -> Array:
        d = shifts.shape[1]
        squares = (shifts**2).sum(-1, keepdims=True)
        if len(factors) == len(weights):
            whitened = factors**2 * (d * covariances + squares)
            return np.asarray(weights[:, None] * (whitened - d) / np.sqrt(2.0 * d), np.float64)
        whitened = factors**2 * (d * covariances + weights @ squares)
        return np.asarray((whitened - d) / np.sqrt(2.0 * d), np.float64)
