"""Many clusters, as clusters within regions: in less time than of all pairs of row and cluster."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daskgmm.arrays import Array
from daskgmm.em.k_means import k_means
from daskgmm.gaussian.truncation.anchors import Anchors, nearest

ROWS_AN_ANCHOR = 64
"""Rows for each cluster: of more the centres are hardly better."""

ROUNDS = 5
"""Steps of k-means over all clusters. Borders of regions cut clusters through, and what is left of
one beyond a border is a cluster of few rows, until each row looks at the regions beside its own."""


def nested_clusters(z: Array, weights: Array | None, count: int, random: Any) -> Anchors:
    """Return the centres of at most `count` clusters of rows (n, d), in regions."""
    centers = _centres(z, weights, max(1, round(math.sqrt(count))), random)
    regions = nearest(z, centers)[:, 0]
    rows = np.bincount(regions, minlength=len(centers))
    shares: Array = np.bincount(regions, weights, len(centers)).astype(np.float64)
    counts = 1 + apportioned(count - len(centers), shares, np.maximum(rows - 1, 0))
    points = list[Array]()
    for region, wanted in enumerate(counts.tolist()):
        own = regions == region
        given = None if weights is None else weights[own]
        points.append(_centres(z[own], given, wanted, random) if own.any() else centers[[region]])
    first = np.cumsum([0, *map(len, points)]).astype(np.int64)
    anchors = Anchors(centers, np.concatenate(points), first)
    for _ in range(ROUNDS):
        anchors = Anchors(centers, means_of(z, weights, anchors.nearest(z), anchors.points), first)
    return anchors


def means_of(z: Array, weights: Array | None, labels: NDArray[np.intp], points: Array) -> Array:
    """Return the means of clusters (c, d); of one without rows its point."""
    count = len(points)
    sizes = np.bincount(labels, weights, count)
    own = z if weights is None else z * weights[:, None]
    sums = np.stack([np.bincount(labels, column, count) for column in own.T], axis=1)
    found: Array = np.where(sizes[:, None] > 0, sums / np.maximum(sizes, TINY)[:, None], points)
    return found


TINY = float(np.finfo(np.float64).tiny)


def _centres(z: Array, weights: Array | None, count: int, random: Any) -> Array:
    """Return the means (c, d) of clusters of rows, at most so many."""
    labels = k_means(z, weights, min(count, len(z)), random)
    present, places = np.unique(labels, return_inverse=True)
    return means_of(z, weights, places, np.zeros((len(present), z.shape[1])))


def apportioned(k: int, shares: Array, rows: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return how many of k things each place gets, in proportion to its share.

    None gets more than it has rows; if there are fewer than k rows in all, each is one.
    """
    k = min(k, int(rows.sum()))
    quotas = k * shares / shares.sum()
    counts: NDArray[np.intp] = np.minimum(np.floor(quotas).astype(np.intp), rows)
    while (left := k - int(counts.sum())) > 0:
        lacking = np.where(counts < rows, quotas - counts, -np.inf)
        most = np.argsort(-lacking, kind="stable")[:left]
        counts[most[lacking[most] > -np.inf]] += 1
    return counts
