r"""Coordinates of a fit: standardised columns, then principal axes.

.. math:: z = V^T S^{-1} (x - m)

with m the mean of the rows, S the diagonal matrix of scales and V the leading eigenvectors of the
covariance of :math:`S^{-1} (x - m)` (Bishop 2006, section 12.1), all from the moments of one pass.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daskgmm.arrays import Array

NO_SCALE = 1e-15
"""Standard deviation over mean of a column that is constant up to rounding; it is not scaled."""

NOISE = 1e-10
"""Variance of an axis, over the largest one, that is rounding if all columns have equal ones."""


@dataclass(frozen=True, slots=True)
class Coordinates:
    """An affine map from the columns of the data (d) to the features of a model (r).

    Attributes
    ----------
    origin : ndarray of shape (d,)
        Point that is mapped to 0.
    scales : ndarray of shape (d,)
        Divisors of the centred columns; ones if columns are not standardised.
    axes : ndarray of shape (d, r), or None
        Orthonormal columns; None for the identity.
    explained : ndarray of shape (r,), or None
        Fraction of the variance that each axis explains, largest first.
    variances : ndarray of shape (r,), or None
        Variance along each axis; the divisor is the number of rows (or weight).
    """

    origin: Array
    scales: Array
    axes: Array | None = None
    explained: Array | None = None
    variances: Array | None = None

    @property
    def n_columns(self) -> int:
        """Number of columns of the data, d."""
        return len(self.origin)

    @property
    def n_features(self) -> int:
        """Number of features of the model, r."""
        return self.n_columns if self.axes is None else self.axes.shape[1]

    def apply(self, x: NDArray[Any]) -> Array:
        """Return rows x (m, d) in these coordinates, shape (m, r)."""
        # Products round by how their factors lie in memory, which rows must not depend on.
        z: Array = np.subtract(x, self.origin, order="K" if self.axes is None else "C")
        z /= self.scales
        return z if self.axes is None else z @ self.axes

    def undo(self, z: Array) -> Array:
        """Return points z (m, r) in the columns of the data, shape (m, d).

        If axes were left out, it is the point in the span of the others.
        """
        return self._back(z) * self.scales + self.origin

    def of_columns(self, chosen: NDArray[np.bool_]) -> Coordinates:
        """Return the map of some columns alone, which must not have axes across columns."""
        assert self.axes is None, "an axis needs all columns"
        return Coordinates(self.origin[chosen], self.scales[chosen])

    def undo_covariances(self, covariances: Array) -> Array:
        """Return covariance matrices (..., r, r) in squared units of the data, (..., d, d).

        Their rank is r: they lack the variance along axes that were left out.
        """
        half = self._back(np.swapaxes(self._back(covariances), -1, -2))
        return np.swapaxes(half, -1, -2) * np.outer(self.scales, self.scales)

    def apply_scatter(self, scatter: Array) -> Array:
        """Return sums of (x - c)(x - c)^T (..., d, d) in these coordinates, (..., r, r)."""
        scaled: Array = scatter / np.outer(self.scales, self.scales)
        if self.axes is None:
            return scaled
        found: Array = self.axes.T @ scaled @ self.axes
        # Along an axis without spread, rounding leaves a little of either sign.
        diagonals = np.einsum("...ii->...i", found)
        np.maximum(diagonals, 0.0, out=diagonals)
        return found

    def bound(self, half_range: Array) -> Array:
        """Return the largest difference of features (r,) if columns (d,) differ by `half_range`."""
        bound: Array = self.parts(half_range).sum(0)
        return bound

    def parts(self, half_range: Array) -> Array:
        """Return the term of each column (d) in `bound`, shape (d, r)."""
        axes = np.eye(self.n_columns) if self.axes is None else np.abs(self.axes)
        parts: Array = (half_range / self.scales)[:, None] * axes
        return parts

    def _back(self, z: Array) -> Array:
        return z if self.axes is None else z @ self.axes.T


def column_scales(mean: Array, covariance: Array) -> Array:
    """Return the standard deviations of columns (d,); 1 for a column constant up to rounding."""
    deviations = np.sqrt(np.maximum(np.diagonal(covariance), 0.0))
    scales: Array = np.where(deviations > NO_SCALE * np.abs(mean), deviations, 1.0)
    scales[scales == 0] = 1.0
    return scales


def coordinates_of(
    mean: Array, covariance: Array, *, standardise: bool, pca: int | float | None
) -> Coordinates:
    """Return the coordinates of the settings.

    Parameters
    ----------
    mean : ndarray of shape (d,)
    covariance : ndarray of shape (d, d)
        Covariance of the rows; the divisor is their number (or weight).
    standardise : bool
        Whether to divide each column by its standard deviation.
    pca : int, float or None
        Number of principal axes, or the least fraction (below 1) of the variance to explain.
    """
    d = len(mean)
    scales = column_scales(mean, covariance) if standardise else np.ones(d)
    plain = Coordinates(mean, scales)
    if pca is None:
        return plain
    values, vectors = np.linalg.eigh(plain.apply_scatter(covariance))
    values, vectors = np.maximum(values[::-1], 0.0), vectors[:, ::-1]
    explained = values / values.sum() if values.sum() > 0 else np.full(d, 1 / d)
    r = pca if isinstance(pca, int) else 1 + int(np.searchsorted(np.cumsum(explained), pca))
    r = min(r, d)
    # The sign of an eigenvector is arbitrary: its entry of the largest size is made positive.
    signs = np.sign(np.take_along_axis(vectors, np.abs(vectors).argmax(0)[None], 0))[0]
    axes = np.ascontiguousarray((vectors * np.where(signs == 0, 1.0, signs))[:, :r])
    return Coordinates(mean, scales, axes, explained[:r].copy(), values[:r].copy())


def whitening(covariance: Array) -> Array:
    """Return a matrix W (d, r) with W^T C W = I for a covariance C (d, d) of rank r."""
    variances = np.diagonal(covariance)
    scales = np.sqrt(np.where(variances > 0, variances, 1.0))
    values, vectors = np.linalg.eigh(covariance / np.outer(scales, scales))
    positive = values > NOISE * values.max(initial=0.0)
    matrix: Array = vectors[:, positive] / np.sqrt(values[positive]) / scales[:, None]
    return matrix
