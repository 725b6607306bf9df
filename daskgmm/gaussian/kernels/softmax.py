"""Softmax over components, in place, after subtraction of the maximum."""

from __future__ import annotations

import numpy as np

from daskgmm.arrays import Array

FLOOR = -650.0
"""Smallest exponent: exp(-650) = 5e-283 adds nothing to any sum, and is a normal number.
Subnormal ones, below -708, made the product of the statistics 16 times slower (d=32, k=64)."""

NO_PART = 1e-280
"""Exponential up to which `FLOOR` applied: such a row has no part in the component. As even 5e-283
counts in a moment of values of 1e150, it must be left out there."""

GROUP = 16
"""Number of totals multiplied under one logarithm; each is in [1, k], so no product overflows."""


def exponentiate(joint: Array, maximum: Array, total: Array) -> None:
    """Replace log joint densities (k, b) by exp(joint - maximum), and fill maximum and total.

    Then the responsibilities are joint / total, and log p(x) = maximum + log(total).

    Parameters
    ----------
    joint : ndarray of shape (k, b)
        Overwritten.
    maximum, total : ndarray of shape (b,)
        Filled with the maximum over components and the sum of the exponentials.
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
