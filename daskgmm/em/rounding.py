"""The steps that the values of each column come in: ties are rows whose values were rounded."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

EPSILON = float(np.finfo(np.float64).eps)

SAME = 8
"""Spacings of floating point numbers within which two values are one that was computed twice."""


def rounding_of(z: Array) -> Array:
    """Return the covariance of half a step between the values of each column.

    Parameters
    ----------
    z : ndarray of shape (d, b)
        Rows as columns.

    Returns
    -------
    ndarray of shape (d, d)
        Diagonal; infinite where a column has a single value.
    """
    ordered = np.sort(z, axis=1)
    gaps = np.diff(ordered, axis=1)
    spacing = SAME * EPSILON * np.abs(ordered[:, [0, -1]]).max(axis=1, initial=0.0)
    smallest = np.where(gaps > spacing[:, None], gaps, np.inf).min(axis=1, initial=np.inf)
    return np.diag(smallest**2 / 4)


def settled(rounding: Array, minimum: Array, maximum: Array) -> Array:
    """Return the rounding of all rows: no step is smaller than the spacing of their values.

    Parameters
    ----------
    rounding : ndarray of shape (d, d)
    minimum, maximum : ndarray of shape (d,)
        Of the columns.
    """
    steps = np.diagonal(rounding)
    spacing = EPSILON * np.maximum(np.abs(minimum), np.abs(maximum))
    return np.diag(np.maximum(np.where(np.isfinite(steps), steps, 0.0), spacing**2))
