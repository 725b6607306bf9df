"""Clusters of the rows of a sample, by k-means in several coordinates.

EM is affine invariant and k-means is not: of parallel cigars, it cuts each one through. So
candidates measure distances differently:

- in units of the columns' standard deviations, as columns often have a meaning;
- in coordinates that whiten the covariance of all rows, then that within the clusters found,
  until these stay: that makes the determinant of the scatter within clusters small (Friedman
  & Rubin 1967), whatever the rotation and the units;
- the same, begun in whitened coordinates of which those are widest whose kurtosis is least like
  a normal's (invariant coordinate selection, Tyler, Critchley, Duembgen & Oja 2009): these tell
  clusters apart where the wide axes of clusters hide it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daskgmm.arrays import Array
from daskgmm.em.k_means import Labels, k_means
from daskgmm.em.survey.survey import Survey
from daskgmm.gaussian.coordinates import column_scales, whitening

ROUNDS = 8
"""Most times that rows are whitened anew by the clusters found."""

LEAST_WITHIN = 1e-3
"""Part of the variance of all rows: an axis along which less of it is within clusters tells these
apart, and is stretched no further."""

ROUNDED = 1e3
"""Multiples of r eps within which eigenvalues of r coordinates are those of normal rows."""

LEAST_REVEALING = 0.1
"""Part of the widest coordinate's width that the others have at least: kurtosis has its noise."""


@dataclass(frozen=True, slots=True)
class Metric:
    """Measure of distances between rows.

    Attributes
    ----------
    center : ndarray of shape (d,)
        A point near the rows: differences from it keep their digits.
    axes : ndarray of shape (d, r)
        Differences are multiplied by it.
    adapts : bool
        Whether `axes` whiten the rows, and are to whiten them within clusters.
    reveals : bool
        Whether the first clusters are found in the coordinates that are least normal.
    """

    center: Array
    axes: Array
    adapts: bool = False
    reveals: bool = False

    def apply(self, x: NDArray[Any]) -> Array:
        """Return rows (m, d) in coordinates (m, r) in which distances are Euclidean."""
        return np.asarray((x - self.center) @ self.axes, np.float64)


def metric_of(survey: Survey, candidate: int) -> Metric:
    """Return the metric of a candidate by its number: even ones have the columns' units."""
    covariance, center = survey.covariance, survey.mean
    if candidate % 2 == 0:
        return Metric(center, np.diag(1 / column_scales(center, covariance)))
    return Metric(center, whitening(covariance), adapts=True, reveals=candidate % 4 == 3)


def cluster(
    x: NDArray[Any],
    weights: Array | None,
    k: int,
    random: np.random.RandomState,
    metric: Metric | None = None,
) -> Labels:
    """Return the cluster of each row, (m,); without a metric those of scikit-learn."""
    if metric is None or not metric.axes.size:
        return k_means(x, weights, k, random)
    z = metric.apply(x)
    labels = k_means(z @ revealing(z, weights) if metric.reveals else z, weights, k, random)
    return _adapted(z, weights, labels, k) if metric.adapts else labels


def _adapted(z: Array, weights: Array | None, labels: Labels, k: int) -> Labels:
    """Whiten rows (m, r) by the covariance within their clusters, and look for these again."""
    for _ in range(ROUNDS):
        centers, within = _within(z, weights, labels, k)
        values, vectors = np.linalg.eigh(within)
        axes = vectors / np.sqrt(np.maximum(values, LEAST_WITHIN))
        before, labels = labels, k_means(z @ axes, weights, k, centers @ axes)
        if (labels == before).all():
            break
    return labels


def revealing(z: Array, weights: Array | None) -> Array:
    """Return axes (r, r) of whitened rows (m, r), the longer the less normal the rows along them.

    They are the eigenvectors of the covariance in which each row counts by its squared distance
    from the mean. Of normal rows its eigenvalues are 1; of others, where the squares of two
    coordinates are uncorrelated, (kurtosis + r - 1) / (r + 2).
    """
    r = z.shape[1]
    counts = np.full(len(z), 1 / len(z)) if weights is None else weights / weights.sum()
    fourth = z.T @ (z * (counts * (z * z).sum(axis=1))[:, None]) / (r + 2)
    values, vectors = np.linalg.eigh(fourth)
    different = np.abs(values - 1)
    widest = different.max()
    if widest <= ROUNDED * r * float(np.finfo(np.float64).eps):
        return np.asarray(vectors, np.float64)
    axes: Array = vectors * np.maximum(different, LEAST_REVEALING * widest)
    # Beside rows of hardly any weight the longest may be of 1e300. A power of 2 changes no digit.
    return np.asarray(np.ldexp(axes, -np.frexp(widest)[1]), np.float64)


def _within(z: Array, weights: Array | None, labels: Labels, k: int) -> tuple[Array, Array]:
    """Return the means of clusters (k, r), and the covariance of rows about them (r, r)."""
    shares = np.full(len(z), 1 / len(z)) if weights is None else weights / weights.sum()
    sizes = np.bincount(labels, shares, k)
    sums = np.stack([np.bincount(labels, shares * column, k) for column in z.T], axis=1)
    # Clusters without rows stand in the middle, where k-means finds others for them.
    centers = sums / np.where(sizes > 0, sizes, 1.0)[:, None]
    difference = z - centers[labels]
    within: Array = difference.T @ (difference * shares[:, None])
    return centers, within
