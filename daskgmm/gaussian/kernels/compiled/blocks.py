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
    """Return the blocks of upper triangular matrices (..., d, d), one after the other, (..., e).

    Each has the rows of its columns that are not 0; columns from d on are 0.
    """
    d, stack = upper.shape[-1], upper.shape[:-2]
    wide = np.zeros((*stack, d, d + -d % BLOCK))
    wide[..., :d] = upper
    blocks = [wide[..., : j + BLOCK, j : j + BLOCK] for j in range(0, d, BLOCK)]
    return np.concatenate([block.reshape(*stack, -1) for block in blocks], axis=-1)


def of_blocks(blocked: Array, d: int) -> Array:
    """Return the symmetric matrices (..., d, d) whose upper triangles are in blocks (..., e)."""
    stack, start = blocked.shape[:-1], 0
    upper = np.zeros((*stack, d + BLOCK, d + BLOCK))
    for j in range(0, d, BLOCK):
        rows = j + BLOCK
        block = blocked[..., start : start + rows * BLOCK]
        upper[..., :rows, j:rows] = block.reshape(*stack, rows, BLOCK)
        start += rows * BLOCK
    upper = upper[..., :d, :d]
    return np.asarray(np.triu(upper) + np.triu(upper, 1).swapaxes(-1, -2), np.float64)
