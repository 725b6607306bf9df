"""k-means of a sample, by one thread: the sums of several would depend on their number."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn import config_context
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import ThreadpoolController

from daskgmm.arrays import Array
from daskgmm.em.survey.values import largest

Labels = NDArray[np.intp]

ROUND_ITER = 20
"""Most iterations of k-means that goes on from centres: it begins near its end."""

LARGEST_FLOAT32 = 1e15
"""Largest value whose squares, added up over the rows of a sample, float32 holds."""


def k_means(
    z: NDArray[Any],
    weights: Array | None,
    k: int,
    begin: np.random.RandomState | Array,
) -> Labels:
    """Return labels; `begin` is a generator for k-means++, or centres (k, r) to go on from."""
    z = squarable(z, weights)
    if isinstance(begin, np.random.RandomState):
        means = KMeans(n_clusters=k, n_init=1, random_state=begin)
    else:
        means = KMeans(n_clusters=k, n_init=1, init=begin, max_iter=ROUND_ITER)
    # Of 2,000 rows a third of the time was checks of values that the survey has checked.
    unchecked = config_context(assume_finite=True, skip_parameter_validation=True)
    with unchecked, _controller().limit(limits=1, user_api="openmp"):
        labels: Labels = means.fit(z, sample_weight=weights).labels_
    return labels


@contextmanager
def unwarned() -> Iterator[None]:
    """Ignore that there are fewer distinct rows than clusters: a fit says what is empty.

    Around all threads, since filters are the process's: threads that set and restore them each
    for itself may leave behind what another one has set.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        yield


def squarable(z: NDArray[Any], weights: Array | None) -> NDArray[Any]:
    """Return rows of a type that holds their squares: scikit-learn computes in that of the rows.

    Those of fill values in float32 are infinite there, those of integers may be any number, and
    weights beside float32 become float32.
    """
    if z.dtype == np.float32 and largest(z) <= LARGEST_FLOAT32 and _fits_float32(weights):
        return z
    return z.astype(np.float64, copy=False)


def _fits_float32(weights: Array | None) -> bool:
    if weights is None:
        return True
    sizes = weights[weights > 0]
    return not sizes.size or (
        float(sizes.min()) >= 1 / LARGEST_FLOAT32 and float(sizes.max()) <= LARGEST_FLOAT32
    )


@lru_cache(maxsize=1)
def _controller() -> ThreadpoolController:
    # Samples are small, and sums of several threads would depend on their number.
    return ThreadpoolController()
