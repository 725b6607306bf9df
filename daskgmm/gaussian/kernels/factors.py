r"""The kernel of many features and few factors: log densities by q projections of each row.

The precision is :math:`D_k - \sum_j b_{kj} b_{kj}^T`, D diagonal. With rows x about the centre,
what is linear in x and all projections are one product, and the squares of x one more, as of
diagonal covariances. Moments take the same two, the other way round. So a row takes 4 k q d + 8 k d
operations, and nothing is of size d^2.

Tiles hold one row after the other, as blocks do: with so many features a transposed copy takes a
tenth of the time of a tile, and products of whole rows are faster.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from daskgmm.arrays import Array
from daskgmm.gaussian.covariance.low_rank.precision import Axes
from daskgmm.gaussian.covariance.structures import structure_of
from daskgmm.gaussian.kernels.gemm import Product
from daskgmm.gaussian.kernels.kernel import LOG_2_PI, Kernel, Sums, Tile, panels
from daskgmm.gaussian.kernels.natural import MIN_PANEL, SMALL_PRODUCT
from daskgmm.gaussian.kernels.softmax import NO_PART
from daskgmm.gaussian.kernels.workspace import LINE, Workspace, by_rows
from daskgmm.gaussian.log_weights import log_weights
from daskgmm.gaussian.outliers import log_joint_of_noise
from daskgmm.gaussian.parameters import Parameters

MOST_PARTS = 0.25
"""Largest share of the pairs of rows and components with a part of the row for which moments are
taken pair by pair. Of many features nearly every row belongs to one component alone."""


@dataclass(frozen=True)
class FactorKernel(Kernel):
    """Two products a tile each way; exact while `choice.natural_error` is small.

    Attributes
    ----------
    constant : ndarray of shape (k, 1)
        Log joint densities at `center`, without projections.
    directions : ndarray of shape (k + k q, d)
        Linear coefficients P (mu - c) of each component, then its axes b.
    squares : ndarray of shape (d, k)
        Coefficients of squares.
    """

    constant: Array
    directions: Array
    squares: Array

    @classmethod
    def of(cls, parameters: Parameters, center: Array, noise: float = 0.0) -> FactorKernel:
        """Build the kernel of parameters about a centre."""
        structure, factors = structure_of(parameters), parameters.precisions_cholesky
        precision, d = structure.precision, parameters.n_features
        offsets = parameters.means - center
        linear = precision.multiply_precision(factors, offsets)
        squares, axes = -0.5 * factors[:, -1] ** 2, Axes(factors).projections
        constant = (
            log_weights(parameters)
            - 0.5 * noise * precision.traces(factors, d)
            + precision.log_determinants(factors, d)
            - 0.5 * (d * LOG_2_PI + np.einsum("ki,ki->k", offsets, linear))
        )
        if parameters.has_noise:
            constant = np.append(constant, log_joint_of_noise(parameters))
            linear, squares, axes = map(_with_zeros, (linear, squares, axes))
        reference = np.broadcast_to(center, (len(constant), d)).copy()
        outliers_of = parameters if parameters.has_noise else None
        directions = np.concatenate([linear, axes.reshape(-1, d)])
        coefficients = constant[:, None], directions, np.ascontiguousarray(squares.T)
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
    """The products of a tile, those of squares cut into panels of rows.

    Attributes
    ----------
    rows : ndarray of shape (d, b)
        In memory, one row follows the other.
    """

    def __init__(self, kernel: FactorKernel, work: Workspace, b: int) -> None:
        super().__init__(kernel, work, b)
        _, k, d = kernel.shape
        self._kernel, self._x = kernel, by_rows(work.rows, b, d)
        self.rows = self._x.T
        # The first row is left: it is the ones of a natural kernel, which has the buffer next.
        self._squares = by_rows(work.features[1:], b, d)
        self._both = work.features[-len(kernel.directions) :, :b]
        self._linear, self._projections = self._both[:k], self._both[k:].reshape(k, -1, b)
        self._turned, self._norms = work.turned[:b], np.empty((k, b))
        self._cuts = [*panels(b, panel_rows(k * d, b))]
        self._products = [
            Product(kernel.directions, self._x, self._both, add=False, transposed=True)
        ]
        self._products += [
            Product(self._squares[cut], kernel.squares, self._turned[cut], add=False)
            for cut in self._cuts
        ]
        self._sums: Sums | None = None
        self._moments: list[Product] = []

    def add_to(self, sums: Sums) -> None:
        k, d = self._kernel.reference.shape
        if sums.products is None:
            sums.products = np.zeros((k + len(self._kernel.directions), d))
        squares, products = sums.products[:k], sums.products[k:]
        self._sums = sums
        self._moments = [Product(self._both, self._x, products, add=True)]
        self._moments += [
            Product(self.joint[:, cut], self._squares[cut], squares, add=True) for cut in self._cuts
        ]

    def log_joint(self) -> None:
        np.multiply(self._x, self._x, self._squares)
        for product in self._products:  # (k + k q, d) @ (d, b), (b, d) @ (d, k) in panels of b
            product()
        np.add(self._linear, self._turned.T, self.joint)
        self.joint += self._kernel.constant
        np.einsum("kqb,kqb->kb", self._projections, self._projections, out=self._norms)
        self._norms *= 0.5
        self.joint += self._norms

    def shared_term(self) -> Array | float:
        return 0.0

    def accumulate(self) -> None:
        assert self._sums is not None, "add_to comes first"
        has_part = self.joint > NO_PART
        np.multiply(self.joint, self.total, self.joint)
        self._sums.sums[0] += self.joint.sum(axis=1)
        if np.count_nonzero(has_part) > MOST_PARTS * has_part.size:
            self._add_all()
        else:
            self._add_parts(has_part)

    def _add_all(self) -> None:
        self._linear[:] = self.joint
        np.multiply(self._projections, self.joint[:, None], self._projections)
        for product in self._moments:  # (k + k q, b) @ (b, d), (k, b) @ (b, d) in panels of b
            product()

    def _add_parts(self, has_part: NDArray[np.bool_]) -> None:
        """Add to each component the rows that have a part in it, and no others."""
        assert self._sums is not None, "add_to comes first"
        assert self._sums.products is not None, "add_to has made them"
        k = len(has_part)
        squares, linear, products = np.split(self._sums.products, [k, 2 * k])
        products = products.reshape(k, -1, products.shape[1])
        for j in np.flatnonzero(has_part.any(axis=1)):
            own = np.flatnonzero(has_part[j])
            x, weights = self._x[own], self.joint[j, own]
            linear[j] += weights @ x
            products[j] += (self._projections[j][:, own] * weights) @ x
            x *= x
            squares[j] += weights @ x


def panel_rows(size: int, b: int) -> int:
    """Return the number of rows of a panel, whose product has `size` multiplications a row."""
    rows = SMALL_PRODUCT // size // LINE * LINE
    return rows if rows >= MIN_PANEL else b
