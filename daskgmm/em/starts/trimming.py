"""Starts that outliers cannot steal: rows far from all others are left out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from daskgmm.em.sample import Sample

Array = NDArray[np.float64]

LANDMARKS, NEIGHBOUR = 500, 5
"""Rows that all others are compared with, and which of the nearest tells how lonely a row is: a
hundredth of all rows is no outlier if they lie together."""

LONELY = 4.0
"""Multiples of the usual distance beyond which a row is left out."""

LEAST_SHARE, MOST_SHARE = 0.05, 0.25
"""Parts of the weight that are left out at least, as outliers need a first share, and at most."""

TILE_ROWS = 4096


def trimmed(sample: Sample, k: int) -> tuple[Sample, float]:
    """Return the sample without its loneliest rows, and the share of the weight of these.

    At least 2 k rows stay.
    """
    weights = np.ones(len(sample.x)) if sample.weights is None else sample.weights
    distances = loneliness(sample.x, weights)
    order = np.argsort(distances, kind="stable")
    shares = np.cumsum(weights[order]) / weights.sum()
    usual = distances[order[np.searchsorted(shares, 0.5)]]
    near = shares <= 1.0 - LEAST_SHARE
    near &= (distances[order] <= LONELY * usual) | (shares <= 1.0 - MOST_SHARE)
    near[: 2 * k] = True
    kept = np.sort(order[near])
    left = float(weights[kept].sum() / weights.sum())
    part = replace(
        sample,
        hashes=sample.hashes[kept],
        index=sample.index[kept],
        x=sample.x[kept],
        weights=None if sample.weights is None else sample.weights[kept],
    )
    return part, min(MOST_SHARE, max(1.0 - left, LEAST_SHARE))


def loneliness(x: NDArray[np.floating], weights: Array) -> Array:
    """Return the distance of each row (m, d) to its fifth neighbour among some of them, (m,).

    Columns are in units of the middle half of their values, which no outlier changes.
    """
    low, high = np.quantile(x, [0.25, 0.75], axis=0)
    width = np.where(high > low, high - low, 1.0)
    scaled = np.asarray(x, np.float64) / width
    counted = np.flatnonzero(weights > 0)
    if len(counted) > LANDMARKS:
        # At equal steps of weight, so that rows that were drawn more often count as they should.
        steps = (np.arange(LANDMARKS) + 0.5) / LANDMARKS * weights.sum()
        counted = np.unique(np.minimum(np.searchsorted(np.cumsum(weights), steps), len(x) - 1))
    landmarks = scaled[counted]
    nearest = min(NEIGHBOUR, len(landmarks) - 1)
    found = np.empty(len(x))
    for first in range(0, len(x), TILE_ROWS):
        rows = slice(first, first + TILE_ROWS)
        found[rows] = np.partition(cdist(scaled[rows], landmarks), nearest, axis=1)[:, nearest]
    return found
