"""Starts where the classes of some rows are known: clusters of the rows of each class."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import pairwise_distances_argmin_min

from daskgmm.arrays import Array
from daskgmm.em.k_means import Labels
from daskgmm.em.starts.clustering import cluster
from daskgmm.em.survey.sample import Sample
from daskgmm.gaussian.coordinates import column_scales


def labelled_clusters(
    sample: Sample, classes: Sequence[int], random: np.random.RandomState
) -> Labels:
    """Return the component that each row of a sample starts in, shape (m,).

    Rows of a known class are clustered to the components of it; of one component there is nothing
    to cluster. Components of classes without rows begin at rows of unknown class that are far
    from all others (as k-means++ draws them). Rows of unknown class go to the nearest component,
    in standard deviations of the columns.
    """
    labels, of_class = np.asarray(sample.beside.labels), np.asarray(classes)
    x = np.asarray(sample.x, np.float64)
    mean, covariance = x.mean(axis=0), np.diag(x.var(axis=0))
    x = (x - mean) / column_scales(mean, covariance)
    weights = np.ones(len(x)) if sample.weights is None else sample.weights
    found = np.full(len(x), -1, np.intp)
    for number in np.unique(of_class):
        rows, own = np.flatnonzero(labels == number), np.flatnonzero(of_class == number)
        found[rows] = own[_within(x[rows], weights[rows], len(own), random)]
    rows = np.flatnonzero(found < 0)
    if len(rows):
        centers, numbers = _centers(x, weights, found, len(of_class))
        free = np.setdiff1d(np.arange(len(of_class)), numbers)
        for number in free:
            center = _far_row(x[rows], weights[rows], centers, random)
            centers, numbers = np.vstack([centers, center]), np.append(numbers, number)
        found[rows] = numbers[pairwise_distances_argmin_min(x[rows], centers)[0]]
    return found


def _within(x: Array, weights: Array, k: int, random: np.random.RandomState) -> NDArray[np.intp]:
    """Return clusters of the rows of one class: in turn if there are no more rows than these."""
    if k == 1 or len(x) <= k:
        return np.arange(len(x)) % k
    return np.asarray(cluster(x, weights, k, random), np.intp)


def _centers(x: Array, weights: Array, found: Labels, k: int) -> tuple[Array, NDArray[np.intp]]:
    """Return the means of components that have rows, and which these are."""
    numbers = np.array([j for j in range(k) if (found == j).any()], np.intp)
    means = [np.average(x[found == j], axis=0, weights=weights[found == j]) for j in numbers]
    return np.array(means).reshape(len(numbers), x.shape[1]), numbers


def _far_row(x: Array, weights: Array, centers: Array, random: np.random.RandomState) -> Array:
    """Return a row drawn by its squared distance from the nearest centre."""
    chances = weights * pairwise_distances_argmin_min(x, centers)[1] ** 2
    total = chances.sum()
    row = random.choice(len(x), p=chances / total) if total > 0 else random.randint(len(x))
    return np.asarray(x[row], np.float64)
