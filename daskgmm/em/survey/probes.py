"""A few rows of each batch, and how wide most of their values lie."""

from __future__ import annotations

import numpy as np

from daskgmm.arrays import Array

PROBED = 32
"""Rows that stand for all of them where only their order of size is asked for."""


def width_of_most(probe: Array) -> Array:
    """Return how far most values of each column are apart, (d,): a few far ones do not matter.

    That is the range of 90 % of them, or if these are one value, infinity: the others are then
    too few for a probe.
    """
    low, high = np.quantile(probe, (0.05, 0.95), axis=0)
    return np.where(high > low, high - low, np.inf)


def width_of_rest(probe: Array) -> Array:
    """Return how far the other values of columns are from the most frequent one, (d,): the median.

    0 where there are none.
    """
    differences = np.abs(probe - np.median(probe, axis=0))
    others = [column[column > 0] for column in differences.T]
    return np.array([np.median(each) if len(each) else 0.0 for each in others])


def thinned(probe: Array) -> Array:
    """Return every second of the rows, or of those, until they are at most twice `PROBED`."""
    while len(probe) > 2 * PROBED:
        probe = probe[::2]
    return probe
