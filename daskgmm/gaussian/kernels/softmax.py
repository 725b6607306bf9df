"""Responsibilities from log joint densities, in place, with the maximum subtracted."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

FLOOR = -650.0
"""Smallest exponent: exp(-650) = 5e-283 adds nothing to any sum, and it is a normal number.
Subnormal ones, from -708 on, made the statistics' product 16 times slower (d=32, k=64)."""

GROUP = 16
"""Factors whose logarithm is taken at once; each lies in [1, k], so no product overflows."""


def exponentiate(joint: Array, maximum: Array, total: Array) -> None:
    """Turn log joint densities (k, b) into exp(joint - maximum) and fill both sums.

    Parameters
    ----------
    joint : ndarray of shape (k, b)
        Overwritten.
    maximum, total : ndarray of shape (b,)
        Filled with the maximum over components and the sum of the exponentials: the
        responsibilities are joint / total, and log p(x) = maximum + log(total).
    """
    np.maximum.reduce(joint, axis=0, out=maximum)
    np.subtract(joint, maximum, out=joint)
    np.maximum(joint, FLOOR, out=joint)
    np.exp(joint, out=joint)
    np.add.reduce(joint, axis=0, out=total)


def log_likelihood(maximum: Array, total: Array, weights: Array | None) -> float:
    """Return the (weighted) sum of log p(x) over a tile."""
    if weights is not None:
        return float(weights @ (maximum + np.log(total)))
    if total.size % GROUP == 0:
        total = np.multiply.reduce(total.reshape(GROUP, -1), axis=0)
    return float(maximum.sum() + np.log(total).sum())
