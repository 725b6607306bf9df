"""The adjusted Rand index of two partitions of the same rows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def adjusted_rand(confusion: NDArray[np.int64]) -> float:
    """Return the adjusted Rand index of two partitions, from the counts of their intersections.

    Python's integers hold the numbers of pairs of any number of rows.
    """
    together = _pairs(confusion.ravel())
    ours, theirs = _pairs(confusion.sum(axis=1)), _pairs(confusion.sum(axis=0))
    everything = _pairs(np.array([confusion.sum()]))
    if ours == theirs == together:  # also where no pair is apart, or each is
        return 1.0
    # (together - expected) / (mean - expected), times all pairs: so that only the quotient rounds.
    above = 2 * (together * everything - ours * theirs)
    return above / ((ours + theirs) * everything - 2 * ours * theirs)


def _pairs(counts: NDArray[np.int64]) -> int:
    return sum(n * (n - 1) // 2 for n in counts.tolist())
