r"""The natural-parameter kernel: the E-step of a tile as two matrix products.

:math:`\log \pi_k N(x | \mu_k, \Sigma_k) = \theta_k \cdot T(x)`, so with T(X) the (p, b)
matrix of a tile's statistics and :math:`\Theta` the (k, p) matrix of natural parameters,
:math:`\log` joint densities are :math:`\Theta T` and the statistics :math:`T \Gamma^T`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from daskgmm.arrays import Array
from daskgmm.gaussian.covariance.structures import structure_of
from daskgmm.gaussian.kernels.gemm import Product
from daskgmm.gaussian.kernels.kernel import LOG_2_PI, Kernel, Sums, Tile, panels
from daskgmm.gaussian.kernels.workspace import LINE, Workspace
from daskgmm.gaussian.log_weights import log_weights
from daskgmm.gaussian.noise_terms import noise_terms
from daskgmm.gaussian.outliers import log_joint_of_noise
from daskgmm.gaussian.parameters import Parameters

SMALL_PRODUCT = 1_000_000
"""Multiplications m n k of a product up to which OpenBLAS does not pack matrices: on AVX-512 up to
twice the rate (100 against 50 GFLOP/s at d=16, k=16). Products are cut to that size."""

SMALL_RESULT = 1200
"""Entries of the result up to which the same holds for T Gamma^T."""

MIN_PANEL = 16
"""Number of statistics below which a cut costs more calls than it gains."""

LARGE_RESULT = 10_000
"""Entries p k of the result above which Gamma is transposed first: the product then has fewer
panels and runs at 80 instead of 58 GFLOP/s (d=64, k=32)."""


@dataclass(frozen=True)
class NaturalKernel(Kernel):
    """Two products a tile; exact while `choice.natural_error` is small.

    Attributes
    ----------
    theta : ndarray of shape (k, p)
        Natural parameters about `center`.
    factors : ndarray
        `Parameters.precisions_cholesky`, for `NaturalTile.shared_term`.
    """

    theta: Array
    factors: Array

    @classmethod
    def of(cls, parameters: Parameters, center: Array, noise: float = 0.0) -> NaturalKernel:
        """Build the kernel of parameters about a centre.

        With v = mu_k - center, log pi_k N(x) = log pi_k + log|U| - d/2 log 2 pi - v^T P v / 2 + (P
        v)^T z - z^T P z / 2 for z = x - center: constant, linear and quadratic entries of theta.
        """
        structure, factors = structure_of(parameters), parameters.precisions_cholesky
        k, d = parameters.means.shape
        offsets = parameters.means - center
        precision = structure.precision
        linear = precision.multiply_precision(factors, offsets)
        quadratic = structure.statistic.quadratic(precision, factors, d)
        quadratic = np.broadcast_to(quadratic, (k, quadratic.shape[1]))
        constant = (
            log_weights(parameters)
            - noise_terms(precision, factors, d, noise)
            + precision.log_determinants(factors, d)
            - 0.5 * (d * LOG_2_PI + np.einsum("ki,ki->k", offsets, linear))
        )
        theta = np.concatenate([constant[:, None], linear, quadratic], axis=1)
        if parameters.has_noise:
            row = np.zeros((1, theta.shape[1]))
            row[0, 0] = log_joint_of_noise(parameters)
            theta = np.concatenate([theta, row])
        reference = np.broadcast_to(center, (len(theta), d)).copy()
        outliers_of = parameters if parameters.has_noise else None
        theta = np.ascontiguousarray(theta)
        return cls(structure, center, reference, theta, factors, outliers_of=outliers_of)

    def part(self, components: NDArray[np.int64]) -> NaturalKernel:
        """Return the kernel of some components, of a mixture without noise and labels."""
        # Factors are those of a shared covariance, or of no use.
        theta, reference = self.theta[components], self.reference[components]
        return replace(self, theta=theta, reference=reference)

    @property
    def feature_rows(self) -> int:
        return self.shape[0]

    @property
    def leaves_out(self) -> bool:
        """Whether densities lack the quadratic term that components share, and moments theirs.

        A uniform component has no part in it, so that densities beside one are whole.
        """
        return self.structure.statistic.pools and self.outliers_of is None

    @property
    def is_centred(self) -> bool:
        return True

    def bind(self, work: Workspace, b: int) -> NaturalTile:
        return NaturalTile(self, work, b)


class NaturalTile(Tile):
    """The two products of a tile, cut into panels."""

    def __init__(self, kernel: NaturalKernel, work: Workspace, b: int) -> None:
        super().__init__(kernel, work, b)
        p, k, d = kernel.shape
        self._kernel, self._features = kernel, work.features[:, :b]
        self._z, self._ones = self._features[1 : 1 + d], work.features[0]
        self._fill = kernel.structure.statistic.filler(work.rows[:, :b], d, self._features[1 + d :])
        self._products = [
            Product(kernel.theta[:, cut], self._features[cut], self.joint, add=cut.start > 0)
            for cut in panels(p, panel_height(p, SMALL_PRODUCT // (k * b)))
        ]
        self._moments: list[Product] = []
        self._is_whole = kernel.structure.statistic.pools and not kernel.leaves_out
        self._pooled: PooledMoment | None = None
        self._turned = work.turned[:b] if p * k >= LARGE_RESULT else None
        # The factor w / total of T diag(w / total) Gamma^T goes into the smaller matrix.
        self._scaled = self._features if p < k else self.joint

    def add_to(self, sums: Sums) -> None:
        p, k, _ = self._kernel.shape
        if self._is_whole and sums.pooled is not None:
            self._pooled = PooledMoment(self.rows, sums.pooled)
        b = self.rows.shape[1]
        if self._turned is not None:
            height = panel_height(p, SMALL_PRODUCT // (k * b))
            self._moments = [
                Product(self._features[cut], self._turned, sums.sums[cut], add=True)
                for cut in panels(p, height)
            ]
            return
        self._moments = transposed_products(self._features, self.joint, sums.sums)

    def log_joint(self) -> None:
        self._z[:] = self.rows  # (d, b), the entries 1 to d of T(z), (p, b)
        self._fill()
        for product in self._products:  # (k, p) @ (p, b), in panels of p
            product()
        if self._is_whole:
            self.joint[:-1] += self._quadratic()

    def shared_term(self) -> Array | float:
        return self._quadratic() if self._kernel.leaves_out else 0.0

    def _quadratic(self) -> Array:
        """Return the quadratic term of all components, shape (b,)."""
        structure = self._kernel.structure
        return -0.5 * structure.precision.squared_distances(self.rows, self._kernel.factors, 0)

    def accumulate(self) -> None:
        if self._pooled is not None:
            self._pooled.add(np.add.reduce(self.joint[:-1], axis=0) * self.total)
        if self._turned is None:
            np.multiply(self._scaled, self.total, self._scaled)
        else:
            np.multiply(self.joint.T, self.total[:, None], self._turned)  # (b, k)
        self._add()

    def add_weighed(self) -> None:
        if self._turned is not None:
            self._turned[:] = self.joint.T
        self._add()

    def _add(self) -> None:
        for product in self._moments:  # (p, b) @ (b, k), in panels of p and of b
            product()
        self._ones.fill(1.0)


class PooledMoment:
    """Second moment of the rows (d, b) of a tile, added to a sum (d, d)."""

    def __init__(self, rows: Array, pooled: Array) -> None:
        self._rows, self._weighed = rows, np.empty(rows.shape)
        self._products = transposed_products(self._weighed, rows, pooled)

    def add(self, weights: Array) -> None:
        """Add the rows with weights (b,)."""
        np.multiply(self._rows, weights, self._weighed)
        for product in self._products:  # (d, b) @ (b, d), in panels of d and of b
            product()


def transposed_products(left: Array, right: Array, result: Array) -> list[Product]:
    """Return what adds left (p, b) @ right (k, b)^T to the result (p, k), in panels."""
    (p, b), k = left.shape, len(right)
    height = panel_height(p, SMALL_RESULT // k)
    width = max(LINE, SMALL_PRODUCT // (height * k) // LINE * LINE)
    return [
        Product(left[rows, columns], right[:, columns], result[rows], add=True, transposed=True)
        for rows in panels(p, height)
        for columns in panels(b, width)
    ]


def panel_height(p: int, largest: int) -> int:
    """Return the height of equal panels of p statistics, at most about `largest`."""
    if largest < MIN_PANEL:
        return p
    return -(-p // -(-p // largest))
