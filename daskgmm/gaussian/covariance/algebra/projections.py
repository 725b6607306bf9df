r"""Second moments projected on few axes, where those of all pairs of features would be too many.

An EM step of loadings needs the covariance S of a component's rows by its diagonal and by
:math:`S b_j`, with :math:`b_j` q axes that the covariance of the pass gives (Ghahramani & Hinton
1996): (q + 1) d sums in place of d (d + 1) / 2, and as much less work for a row.
"""

from __future__ import annotations

import numpy as np

import daskgmm.gaussian.covariance.algebra.packed as packed
from daskgmm.arrays import Array
from daskgmm.gaussian.covariance.algebra.dense import Dense
from daskgmm.gaussian.covariance.algebra.statistic import Products
from daskgmm.gaussian.moments import Moments

MOST_PRODUCTS = 64
"""Number of features up to which moments are those of all products: a pass then takes about as
long, and the step from them is the best one, not one of many."""


def is_projected(d: int, q: int) -> bool:
    """Return whether moments of q factors of d features are projected."""
    return d > MOST_PRODUCTS and (q + 1) * d < packed.size(d)


class ProductsOrProjections(Dense):
    """Form of a scatter: matrices (m, d, d), or (m, q + 2, d) if it is projected.

    Those are rows :math:`b_j^T S`, the diagonal of S, and what is added to it, as `reg_covar` is.
    q + 2 is less than d wherever `is_projected` says so.
    """

    def raised(self, covariances: Array, amount: float, index: int | None = None) -> Array:
        if covariances.shape[-2] == covariances.shape[-1]:
            return super().raised(covariances, amount, index)
        regular = covariances.copy()
        regular[slice(None) if index is None else index, -1] += amount
        return regular

    def diagonals(self, covariances: Array, d: int) -> Array:
        if covariances.shape[-2] == covariances.shape[-1]:
            return super().diagonals(covariances, d)
        return np.asarray(covariances[:, -2] + covariances[:, -1])


class FactorStatistic(Products):
    """All products, or squares and products with projections: T(x) = (1, x, x_i^2, z_j x_i).

    Projections :math:`z_j = b_j^T x` depend on the component.
    """

    form = ProductsOrProjections()

    def __init__(self, q: int) -> None:
        self.q = q

    def n_quadratic(self, d: int) -> int:
        return (self.q + 1) * d if is_projected(d, self.q) else super().n_quadratic(d)

    def second_moment(self, difference: Array, weights: Array) -> Array:
        if is_projected(len(difference), self.q):
            raise TypeError("Projected moments need the axes of each component.")
        return super().second_moment(difference, weights)


def projected_moment(difference: Array, weights: Array, axes: Array) -> Array:
    """Return the weighted sums of squares and of products with projections, shape (d + q d,).

    Parameters
    ----------
    difference : ndarray of shape (d, b)
    weights : ndarray of shape (b,)
    axes : ndarray of shape (q, d)
    """
    squares = (difference * difference) @ weights
    products = ((axes @ difference) * weights) @ difference.T
    return np.concatenate([squares, products.ravel()])


def projected_scatter(moments: Moments, axes: Array) -> Array:
    """Return the scatter (k, q + 2, d) of moments along the axes (k, q, d) of the pass."""
    (k, q, d), offsets = axes.shape, moments.offsets
    means = moments.second / moments.divisor[:, None]
    diagonals = np.maximum(means[:, :d] - offsets**2, 0.0)
    along = np.einsum("kqi,ki->kq", axes, offsets)
    products = means[:, d:].reshape(k, q, d) - along[:, :, None] * offsets[:, None, :]
    return np.concatenate([products, diagonals[:, None], np.zeros((k, 1, d))], axis=1)
