"""The canonical order of components: a mixture is the same whichever comes first."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def canonical_order(weights: NDArray[np.float64], means: NDArray[np.float64]) -> NDArray[np.intp]:
    """Return the components from the largest weight to the smallest, ties by their means.

    Parameters
    ----------
    weights : ndarray of shape (k,)
    means : ndarray of shape (k, d)
        Where weights are equal: ascending in the first feature, then the second, and so on.

    Returns
    -------
    ndarray of int, shape (k,)
        ``weights[order]`` is sorted. Components with equal weights and equal means keep their
        places, so that the order of what is sorted is 0, 1, ..., k - 1.
    """
    # The last key counts most.
    return np.lexsort((*means.T[::-1], -weights))
