"""Starts that outliers cannot steal: rows far from all others are left out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from daskgmm.arrays import Array
from daskgmm.em.survey.sample import Sample

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

    At least 2 k rows stay, and all of known class: a class may have no others.
    """
    weights = np.ones(len(sample.x)) if sample.weights is None else sample.weights
    distances = loneliness(sample.x, weights)
    order = np.argsort(distances, kind="stable")
    shares = np.cumsum(weights[order]) / weights.sum()
    usual = distances[order[np.searchsorted(shares, 0.5)]]
    near = shares <= 1.0 - LEAST_SHARE
    near &= (distances[order] <= LONELY * usual) | (shares <= 1.0 - MOST_SHARE)
    near[: 2 * k] = True
    if sample.beside.labels is not None:
        near |= sample.beside.labels[order] >= 0
    kept = np.sort(order[near])
    left = float(weights[kept].sum() / weights.sum())
    return sample.at(kept), min(MOST_SHARE, max(1.0 - left, LEAST_SHARE))


def loneliness(x: NDArray[np.floating], weights: Array) -> Array:
    """Return the distance of each row (m, d) to its fifth neighbour among some of them, (m,).

    Columns are in units of the middle half of their values, which no outlier changes.
    """
    # NumPy takes differences in the type of the rows: of bytes they overflow, of truth values
    # there are none.
    scaled = np.asarray(x, np.float64)
    low, high = np.quantile(scaled, [0.25, 0.75], axis=0)
    scaled = scaled / np.where(high > low, high - low, 1.0)
    index, counts = _landmarks(weights)
    landmarks, nearest = scaled[index], min(NEIGHBOUR, len(index) - 1)
    found = np.empty(len(x))
    for first in range(0, len(x), TILE_ROWS):
        rows = slice(first, first + TILE_ROWS)
        distances = cdist(scaled[rows], landmarks)
        order = np.argpartition(distances, nearest, axis=1)[:, : nearest + 1]
        near = np.take_along_axis(distances, order, axis=1)
        found[rows] = _at_count(near, counts[order])
    return found


def _landmarks(weights: Array) -> tuple[NDArray[np.intp], Array]:
    """Return the rows that all are compared with, and for how many each counts.

    Of many they stand at equal steps of weight. Of few one of the usual weight counts for one row,
    at any scale: a weight of 8 among ones counts as eight rows do.
    """
    index = np.flatnonzero(weights > 0)
    if len(index) <= LANDMARKS:
        weights = weights[index]
        return index, weights / np.median(weights)
    steps = (np.arange(LANDMARKS) + 0.5) / LANDMARKS * weights.sum()
    places = np.minimum(np.searchsorted(np.cumsum(weights), steps), len(weights) - 1)
    index, counts = np.unique(places, return_counts=True)
    return index, counts.astype(np.float64)


def _at_count(distances: Array, counts: Array) -> Array:
    """Return the distance of each row (m, j) within which its neighbour is, itself counted too."""
    order = np.argsort(distances, axis=1, kind="stable")
    summed = np.cumsum(np.take_along_axis(counts, order, axis=1), axis=1)
    place = np.minimum((summed < NEIGHBOUR + 0.5).sum(axis=1), distances.shape[1] - 1)
    nth = np.take_along_axis(order, place[:, None], axis=1)
    return np.asarray(np.take_along_axis(distances, nth, axis=1)[:, 0])
