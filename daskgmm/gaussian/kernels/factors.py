r"""The kernel of many features and few factors: log densities by q projections of each row.

The precision is :math:`D_k - \sum_j b_{kj} b_{kj}^T`, D diagonal. With rows x about the centre,
:math:`-\frac{1}{2} x^T D x` and what is linear in x are one product with (1, x, x^2), as of
diagonal covariances, and projections of all components one more. Moments take the same two, the
other way round. So a row takes 4 k q d + 8 k d operations, and nothing is of size d^2.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from daskgmm.arrays import Array
from daskgmm.gaussian.covariance.low_rank import Axes
from daskgmm.gaussian.covariance.structures import structure_of
from daskgmm.gaussian.kernels.gemm import Product
from daskgmm.gaussian.kernels.kernel import LOG_2_PI, Kernel, Sums, Tile
from daskgmm.gaussian.kernels.workspace import Workspace
from daskgmm.gaussian.log_weights import log_weights
from daskgmm.gaussian.outliers import log_joint_of_noise, pairs_of
from daskgmm.gaussian.parameters import Parameters


@dataclass(frozen=True)
class FactorKernel(Kernel):
    """Two products a tile each way; exact while `choice.natural_error` is small.

    Attributes
    ----------
    theta : ndarray of shape (k, 1 + 2 d)
        Coefficients of (1, x, x^2) about `center`, without projections.
    axes : ndarray of shape (k, q, d)
        b.
    at_means : ndarray of shape (k, q)
        Projections of the means.
    """

    theta: Array
    axes: Array
    at_means: Array

    @classmethod
    def of(cls, parameters: Parameters, center: Array, noise: float = 0.0) -> FactorKernel:
        """Build the kernel of parameters about a centre."""
        whole, parameters = parameters, pairs_of(parameters, noise)
        structure, factors = structure_of(parameters), parameters.precisions_cholesky
        precision, d = structure.precision, parameters.n_features
        offsets, inverse = parameters.means - center, factors[:, -1] ** 2
        axes = Axes(factors).projections
        constant = (
            log_weights(parameters)
            - 0.5 * noise * precision.traces(factors, d)
            + precision.log_determinants(factors, d)
            - 0.5 * (d * LOG_2_PI + np.einsum("ki,ki,ki->k", offsets, inverse, offsets))
        )
        theta = np.concatenate([constant[:, None], inverse * offsets, -0.5 * inverse], axis=1)
        at_means = np.einsum("kqi,ki->kq", axes, offsets)
        if whole.has_noise:
            theta = np.concatenate([theta, np.zeros((1, theta.shape[1]))])
            theta[-1, 0] = log_joint_of_noise(whole)
            axes = np.concatenate([axes, np.zeros((1, *axes.shape[1:]))])
            at_means = np.concatenate([at_means, np.zeros((1, at_means.shape[1]))])
        reference = np.broadcast_to(center, (len(theta), d)).copy()
        outliers_of = whole if whole.has_noise or whole.is_contaminated else None
        coefficients = np.ascontiguousarray(theta), np.ascontiguousarray(axes), at_means
        return cls(structure, center, reference, *coefficients, outliers_of=outliers_of)

    @property
    def feature_rows(self) -> int:
        _, k, d = self.shape
        return self.structure.n_buffer_rows(k, d)

    def bind(self, work: Workspace, b: int) -> FactorTile:
        return FactorTile(self, work, b)


class FactorTile(Tile):
    """The products of a tile."""

    def __init__(self, kernel: FactorKernel, work: Workspace, b: int) -> None:
        super().__init__(kernel, work, b)
        k, q, d = self._shape = kernel.axes.shape
        features, plain = work.features[:, :b], 1 + 2 * d
        self._features, self._ones = features[:plain], work.features[0]
        self._x, self._squares = features[1 : 1 + d], features[1 + d : plain]
        self._projections = features[plain : plain + k * q]
        self._about_means = features[plain + k * q : plain + 2 * k * q]
        self._at_means = kernel.at_means.reshape(k * q, 1)
        axes = kernel.axes.reshape(k * q, d)
        self._products = [
            Product(kernel.theta, self._features, self.joint, add=False),
            Product(axes, self._x, self._projections, add=False),
        ]
        self._moments: list[Product] = []

    def add_to(self, sums: Sums) -> None:
        k, q, d = self._shape
        if sums.products is None:
            sums.products = np.zeros((k * q, d))
        plain = sums.sums[: 1 + 2 * d]
        self._moments = [
            Product(self._features, self.joint, plain, add=True, transposed=True),
            Product(self._projections, self._x, sums.products, add=True, transposed=True),
        ]

    def log_joint(self) -> None:
        self._x[:] = self.rows
        np.multiply(self._x, self._x, self._squares)
        for product in self._products:  # (k, 1 + 2 d) @ (1 + 2 d, b), (k q, d) @ (d, b)
            product()
        np.subtract(self._projections, self._at_means, self._about_means)
        np.multiply(self._about_means, self._about_means, self._about_means)
        squares = np.add.reduce(self._by_component(self._about_means), axis=1)
        squares *= 0.5
        self.joint += squares

    def _by_component(self, rows: Array) -> Array:
        """Return rows (k q, b) as (k, q, b)."""
        k, q, _ = self._shape
        return rows.reshape(k, q, rows.shape[1])

    def shared_term(self) -> Array | float:
        return 0.0

    def accumulate(self) -> None:
        np.multiply(self.joint, self.total, self.joint)
        weighed = self._by_component(self._projections)
        np.multiply(weighed, self.joint[:, None], weighed)
        for product in self._moments:  # (1 + 2 d, b) @ (b, k), (k q, b) @ (b, d)
            product()
