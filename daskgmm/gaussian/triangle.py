"""The upper triangle of a symmetric matrix, row by row, as a vector, and back."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def size(d: int) -> int:
    """Return the number of entries on and above the diagonal of a (d, d) matrix."""
    return d * (d + 1) // 2


@lru_cache(maxsize=8)
def indices(d: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the row and column of each packed entry."""
    rows, columns = np.triu_indices(d)
    return rows, columns


def pack(symmetric: Array) -> Array:
    """Pack symmetric matrices of shape (..., d, d) to (..., d (d + 1) / 2)."""
    rows, columns = indices(symmetric.shape[-1])
    packed: Array = symmetric[..., rows, columns]
    return packed


def unpack(packed: Array, d: int) -> Array:
    """Unpack (..., d (d + 1) / 2) to symmetric matrices of shape (..., d, d)."""
    rows, columns = indices(d)
    symmetric = np.empty((*packed.shape[:-1], d, d))
    symmetric[..., rows, columns] = packed
    symmetric[..., columns, rows] = packed
    return symmetric
