"""Packed symmetric matrices: vectors of their distinct entries.

Entries are ordered by lag: (i, i + l mod d) for all i, for l = 0, 1, ... d / 2. So the
products z_i z_j of a tile are one multiplication of the tile with itself, shifted.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from daskgmm.arrays import Array


def size(d: int) -> int:
    """Return the number of distinct entries of a symmetric (d, d) matrix."""
    return d * (d + 1) // 2


@lru_cache(maxsize=8)
def indices(d: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the row and column of each packed entry."""
    flat = np.arange(size(d))
    rows, lags = flat % d, flat // d
    return rows, (rows + lags) % d


@lru_cache(maxsize=8)
def below_diagonal(d: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the row and column of each entry below the diagonal, row by row."""
    return np.tril_indices(d, -1)


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
