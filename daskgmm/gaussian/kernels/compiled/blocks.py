"""Triangles in blocks, as `pooled.h` has the factor and the second moment that components share."""

from __future__ import annotations

import numpy as np

from daskgmm.arrays import Array

BLOCK = 4
"""Columns of a block, as in the source."""


def n_blocked(d: int) -> int:
    """Return the number of entries of a triangle (d, d) in blocks."""
    blocks = -(-d // BLOCK)
    return BLOCK * BLOCK * blocks * (blocks + 1) // 2


def in_blocks(upper: Array) -> Array:
    """Return the blocks of an upper triangular matrix (d, d), one after the other.

    Each has the rows of its columns that are not 0; columns from d on are 0.
    """
    d = len(upper)
    wide = np.pad(upper, ((0, 0), (0, -d % BLOCK)))
    firsts = range(0, d, BLOCK)
    return np.concatenate([wide[: j + BLOCK, j : j + BLOCK].ravel() for j in firsts])


def of_blocks(blocked: Array, d: int) -> Array:
    """Return the symmetric matrix (d, d) whose upper triangle is in blocks (n_blocked(d),)."""
    upper, start = np.zeros((d + BLOCK, d + BLOCK)), 0
    for j in range(0, d, BLOCK):
        rows = j + BLOCK
        upper[:rows, j:rows] = blocked[start : start + rows * BLOCK].reshape(rows, BLOCK)
        start += rows * BLOCK
    upper = upper[:d, :d]
    return np.asarray(np.triu(upper) + np.triu(upper, 1).T, np.float64)
