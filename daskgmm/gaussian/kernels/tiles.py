"""Blocks into tiles as the kernels want them: (d, b), centred, full."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from daskgmm.gaussian.block import Block

Array = NDArray[np.float64]


def fill_tiles(
    blocks: Iterator[Block], center: Array, rows: Array, weights: Array
) -> Iterator[tuple[int, bool]]:
    """Fill the buffers with centred rows, tile by tile, across the borders of blocks.

    Small chunks so cost no small tiles, and the transposed copy that the kernels need is
    the only one made.

    Parameters
    ----------
    blocks : iterator of Block
    center : ndarray of shape (d,)
    rows : ndarray of shape (d, b)
        Filled with the features of up to b rows, minus the centre; 0 for those of weight 0.
    weights : ndarray of shape (b,)
        Filled with their weights, where the blocks have any.

    Yields
    ------
    (int, bool)
        How many rows the buffer holds, and whether they are weighted.
    """
    column, capacity = center[:, None], rows.shape[1]
    filled, weighted = 0, False
    for block in blocks:
        taken, weighted = 0, block.weights is not None
        while taken < len(block.x):
            m = min(len(block.x) - taken, capacity - filled)
            np.subtract(block.x[taken : taken + m].T, column, out=rows[:, filled : filled + m])
            if block.weights is not None:
                weights[filled : filled + m] = block.weights[taken : taken + m]
                _put_at_center(rows[:, filled : filled + m], weights[filled : filled + m])
            taken, filled = taken + m, filled + m
            if filled == capacity:
                yield filled, weighted
                filled = 0
    if filled:
        yield filled, weighted


def _put_at_center(rows: Array, weights: Array) -> None:
    """Put rows (d, m) of weight 0 at the centre: nothing else has looked how large they are."""
    if not weights.all():
        rows[:, weights == 0] = 0.0
