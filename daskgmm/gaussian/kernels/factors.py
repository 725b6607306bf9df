r"""The kernel of many features and few factors: log densities by q projections of each row.

The precision is :math:`D_k - \sum_j b_{kj} b_{kj}^T`, D diagonal. With rows x about the centre,
what is linear in x and all projections are one product, and the squares of x one more, as of
diagonal covariances. Moments take the same two, the other way round. So a row takes 4 k q d + 8 k d
operations, and nothing is of size d^2.
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
from daskgmm.gaussian.outliers import log_joint_of_noise
from daskgmm.gaussian.parameters import Parameters


@dataclass(frozen=True)
class FactorKernel(Kernel):
    """Two products a tile each way; exact while `choice.natural_error` is small.

    Attributes
    ----------
    constant : ndarray of shape (k, 1)
        Log joint densities at `center`, without projections.
    directions : ndarray of shape (k + k q, d)
        Linear coefficients D (mu - c) of each component, then its axes b.
    squares : ndarray of shape (k, d)
        Coefficients of squares.
    at_means : ndarray of shape (k q, 1)
        Projections of the means.
    """

    constant: Array
    directions: Array
    squares: Array
    at_means: Array

    @classmethod
    def of(cls, parameters: Parameters, center: Array, noise: float = 0.0) -> FactorKernel:
        """Build the kernel of parameters about a centre."""
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
        linear, squares = inverse * offsets, -0.5 * inverse
        at_means = np.einsum("kqi,ki->kq", axes, offsets)
        if parameters.has_noise:
            constant = np.append(constant, log_joint_of_noise(parameters))
            linear, squares, axes, at_means = map(_with_zeros, (linear, squares, axes, at_means))
        reference = np.broadcast_to(center, (len(constant), d)).copy()
        outliers_of = parameters if parameters.has_noise else None
        directions = np.concatenate([linear, axes.reshape(-1, d)])
        coefficients = constant[:, None], directions, squares, at_means.reshape(-1, 1)
        return cls(structure, center, reference, *coefficients, outliers_of=outliers_of)

    @property
    def is_centred(self) -> bool:
        return True

    @property
    def axes(self) -> Array:
        _, k, d = self.shape
        return self.directions[k:].reshape(k, -1, d)

    @property
    def feature_rows(self) -> int:
        _, k, d = self.shape
        return self.structure.n_buffer_rows(k, d)

    def bind(self, work: Workspace, b: int) -> FactorTile:
        return FactorTile(self, work, b)


def _with_zeros(values: Array) -> Array:
    """Return values (k, ...) with zeros for one more component."""
    return np.concatenate([values, np.zeros((1, *values.shape[1:]))])


class FactorTile(Tile):
    """The products of a tile."""

    def __init__(self, kernel: FactorKernel, work: Workspace, b: int) -> None:
        super().__init__(kernel, work, b)
        _, k, d = kernel.shape
        self._kernel, self._shape = kernel, (k, len(kernel.at_means) // k, b)
        # The first row is left: it is the ones of a natural kernel, which has the buffer next.
        edges = np.cumsum([1, d, d, k, len(kernel.at_means)])
        parts = np.split(work.features[:, :b], edges)
        self._x, self._squares, self._linear, self._projections, self._about_means = parts[1:]
        both = work.features[edges[2] : edges[4], :b]
        self._products = [
            Product(kernel.directions, self._x, both, add=False),
            Product(kernel.squares, self._squares, self.joint, add=False),
        ]
        self._both = both
        self._sums: Sums | None = None
        self._moments: list[Product] = []

    def add_to(self, sums: Sums) -> None:
        d = len(self._x)
        if sums.products is None:
            sums.products = np.zeros(self._kernel.directions.shape)
        squares = sums.sums[1 + d : 1 + 2 * d]
        self._sums = sums
        self._moments = [
            Product(self._both, self._x, sums.products, add=True, transposed=True),
            Product(self._squares, self.joint, squares, add=True, transposed=True),
        ]

    def log_joint(self) -> None:
        self._x[:] = self.rows
        np.multiply(self._x, self._x, self._squares)
        for product in self._products:  # (k + k q, d) @ (d, b), (k, d) @ (d, b)
            product()
        self.joint += self._linear
        self.joint += self._kernel.constant
        np.subtract(self._projections, self._kernel.at_means, self._about_means)
        np.multiply(self._about_means, self._about_means, self._about_means)
        squares = np.add.reduce(self._about_means.reshape(self._shape), axis=1)
        squares *= 0.5
        self.joint += squares

    def shared_term(self) -> Array | float:
        return 0.0

    def accumulate(self) -> None:
        assert self._sums is not None, "add_to comes first"
        np.multiply(self.joint, self.total, self.joint)
        self._linear[:] = self.joint
        weighed = self._projections.reshape(self._shape)
        np.multiply(weighed, self.joint[:, None], weighed)
        for product in self._moments:  # (k + k q, b) @ (b, d), (d, b) @ (b, k)
            product()
        self._sums.sums[0] += self.joint.sum(axis=1)
