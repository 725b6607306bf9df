"""The sufficient statistic T(x) of a row: 1, x, and quadratic entries that depend on the structure.

A component has one natural parameter for each entry.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

import daskgmm.gaussian.covariance.algebra.packed as packed
from daskgmm.arrays import Array
from daskgmm.gaussian.covariance.algebra.axes import AlongAxes, Isotropic
from daskgmm.gaussian.covariance.algebra.dense import Dense
from daskgmm.gaussian.covariance.algebra.precision import Precision, squared_norms
from daskgmm.gaussian.moments import Moments

Pairs: TypeAlias = tuple[NDArray[np.intp], NDArray[np.intp]]


class Statistic(ABC):
    """One choice of T(x), written and summed for tiles that hold one feature a row, (d, b)."""

    form: Precision
    """Form of the covariances that its moments give: those of `within`."""

    pools: bool = False
    """Whether there is one second moment, a matrix, of all components together. It is the same in
    every pass and cancels in the responsibilities: the survey takes it."""

    @property
    def detail(self) -> int:
        """Part of the second moments that it has: 0 the trace, 1 the diagonal, 2 the matrix."""
        return self.form.detail

    @abstractmethod
    def n_quadratic(self, d: int) -> int:
        """Return the number of quadratic entries, q."""

    @abstractmethod
    def within(self, moments: Moments) -> Array:
        """Return the covariances within components, in the form `form`; one if pooled."""

    @abstractmethod
    def quadratic(self, precision: Precision, factors: Array, d: int) -> Array:
        """Return the natural parameters of the quadratic entries, (m, q)."""

    @abstractmethod
    def of_matrices(self, matrices: Array) -> Array:
        """Return the quadratic entries of second moments (k, d, d), shape (k, q)."""

    def pairs(self, d: int) -> Pairs | None:
        """Return the factors of each quadratic entry, for compiled kernels.

        They are indices into (1, x_1, ..., x_d, ||x||^2). None if an entry is no product of two.
        """
        return None

    @abstractmethod
    def filler(self, rows: Array, d: int, out: Array) -> Callable[[], None]:
        """Return a function that writes the quadratic entries of T(z) of a tile z to `out`.

        It makes its views once, for many tiles.

        Parameters
        ----------
        rows : ndarray of shape (d + d // 2, b)
            The tile z (d, b), and room for a copy of its first half.
        d : int
        out : ndarray of shape (q, b)
        """

    @abstractmethod
    def second_moment(self, difference: Array, weights: Array) -> Array:
        """Return the weighted sum of the quadratic entries of differences (d, b), shape (q,).

        If pooled, the (d, d) matrix.
        """


class Products(Statistic):
    """T(x) = (1, x, x_i x_j for i <= j), in the order of `packed`."""

    form = Dense()

    def n_quadratic(self, d: int) -> int:
        return packed.size(d)

    def within(self, moments: Moments) -> Array:
        offsets = moments.offsets
        second = packed.unpack(moments.second / moments.divisor[:, None], offsets.shape[1])
        return second - offsets[:, :, None] * offsets[:, None, :]

    def quadratic(self, precision: Precision, factors: Array, d: int) -> Array:
        coefficients = -packed.pack(precision.precision_matrices(factors, d))
        rows, columns = packed.indices(d)
        coefficients[:, rows == columns] *= 0.5
        return coefficients

    def of_matrices(self, matrices: Array) -> Array:
        return packed.pack(matrices)

    def pairs(self, d: int) -> Pairs:
        rows, columns = packed.indices(d)
        return 1 + rows, 1 + columns

    def filler(self, rows: Array, d: int, out: Array) -> Callable[[], None]:
        half, lags = d // 2, (d + 1) // 2
        b = rows.shape[1]
        down, along = rows.strides
        # (lag, feature, b): shifted[l, i] is the feature i + l mod d.
        z, shifted = rows[:d], as_strided(rows, (lags, d, b), (down, down, along))
        products = out[: lags * d].reshape(lags, d, b)
        last = out[lags * d :]

        def fill() -> None:
            rows[d:] = rows[:half]
            np.multiply(z, shifted, products)
            if len(last):
                np.multiply(rows[:half], rows[half:d], last)

        return fill

    def second_moment(self, difference: Array, weights: Array) -> Array:
        return packed.pack((difference * weights) @ difference.T)


class Squares(Statistic):
    """T(x) = (1, x, x_i^2)."""

    form = AlongAxes()

    def n_quadratic(self, d: int) -> int:
        return d

    def within(self, moments: Moments) -> Array:
        return np.maximum(moments.second / moments.divisor[:, None] - moments.offsets**2, 0.0)

    def quadratic(self, precision: Precision, factors: Array, d: int) -> Array:
        return -0.5 * precision.diagonals(precision.precisions(factors), d)

    def of_matrices(self, matrices: Array) -> Array:
        return np.diagonal(matrices, axis1=-2, axis2=-1)

    def pairs(self, d: int) -> Pairs:
        features = 1 + np.arange(d)
        return features, features

    def filler(self, rows: Array, d: int, out: Array) -> Callable[[], None]:
        z = rows[:d]

        def fill() -> None:
            np.multiply(z, z, out)

        return fill

    def second_moment(self, difference: Array, weights: Array) -> Array:
        return (difference * difference) @ weights


class Norm(Statistic):
    """T(x) = (1, x, ||x||^2)."""

    form = Isotropic()

    def n_quadratic(self, d: int) -> int:
        return 1

    def within(self, moments: Moments) -> Array:
        total = moments.second[:, 0] / moments.divisor - (moments.offsets**2).sum(1)
        variances: Array = np.maximum(total, 0.0) / moments.offsets.shape[1]
        return variances[:, None]

    def quadratic(self, precision: Precision, factors: Array, d: int) -> Array:
        return -0.5 * precision.diagonals(precision.precisions(factors), d)[:, :1]

    def of_matrices(self, matrices: Array) -> Array:
        return np.asarray(np.trace(matrices, axis1=-2, axis2=-1), np.float64)[:, None]

    def pairs(self, d: int) -> Pairs:
        return np.array([0]), np.array([1 + d])

    def filler(self, rows: Array, d: int, out: Array) -> Callable[[], None]:
        z, squared = rows[:d], out[0]

        def fill() -> None:
            np.einsum("ib,ib->b", z, z, out=squared)

        return fill

    def second_moment(self, difference: Array, weights: Array) -> Array:
        return np.atleast_1d(squared_norms(difference) @ weights)


class Pooled(Statistic):
    """T(x) = (1, x); the quadratic term is the same for all components."""

    form, pools = Dense(), True

    def n_quadratic(self, d: int) -> int:
        return 0

    def within(self, moments: Moments) -> Array:
        return moments.pooled_covariance()

    def quadratic(self, precision: Precision, factors: Array, d: int) -> Array:
        return np.empty((len(factors), 0))

    def of_matrices(self, matrices: Array) -> Array:
        return np.empty((len(matrices), 0))

    def pairs(self, d: int) -> Pairs:
        none = np.arange(0)
        return none, none

    def filler(self, rows: Array, d: int, out: Array) -> Callable[[], None]:
        return lambda: None

    def second_moment(self, difference: Array, weights: Array) -> Array:
        return (difference * weights) @ difference.T
