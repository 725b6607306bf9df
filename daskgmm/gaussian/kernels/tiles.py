"""Copy of blocks to full, centred tiles (d, b)."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from daskgmm.arrays import Array
from daskgmm.gaussian.block import Block

CONVERTED_ENTRIES = 1024
"""Entries of NumPy's buffers while rows of another type are copied to tiles of whole rows: it takes
0.6 times as long as a copy that is then centred (512 rows of 1,000 float32)."""


def fill_tiles(
    blocks: Iterator[Block],
    center: Array,
    rows: Array,
    weights: Array,
    noise: Array | None = None,
    labels: NDArray[np.intp] | None = None,
) -> Iterator[tuple[int, bool]]:
    """Fill the buffers with centred rows, tile by tile, across the borders of blocks.

    So small chunks make full tiles, with one transposed copy, which the kernels need.

    Parameters
    ----------
    blocks : iterator of Block
    center : ndarray of shape (d,)
    rows : ndarray of shape (d, b)
        Filled with the features of up to b rows minus the centre; 0 for rows of weight 0.
    weights : ndarray of shape (b,)
        Filled with their weights, if the blocks have any.
    noise : ndarray of shape (e, b), optional
        Filled with the noise of the rows; 0 for rows of weight 0.
    labels : ndarray of shape (b,), optional
        Filled with their labels, which the blocks have.

    Yields
    ------
    (int, bool)
        Number of rows in the buffer, and whether they have weights.
    """
    column, capacity = center[:, None], rows.shape[1]
    filled, weighted = 0, False
    for block in blocks:
        taken, weighted = 0, block.weights is not None
        while taken < len(block.x):
            m = min(len(block.x) - taken, capacity - filled)
            _centre(block.x[taken : taken + m].T, column, rows[:, filled : filled + m])
            if noise is not None and block.beside.noise is not None:
                noise[:, filled : filled + m] = block.beside.noise[taken : taken + m].T
            if block.weights is not None:
                weights[filled : filled + m] = block.weights[taken : taken + m]
                if noise is not None:
                    _put_at_center(noise[:, filled : filled + m], weights[filled : filled + m])
                _put_at_center(rows[:, filled : filled + m], weights[filled : filled + m])
            if labels is not None and block.beside.labels is not None:
                labels[filled : filled + m] = block.beside.labels[taken : taken + m]
            taken, filled = taken + m, filled + m
            if filled == capacity:
                yield filled, weighted
                filled = 0
    if filled:
        yield filled, weighted


def _centre(x: Array, column: Array, out: Array) -> None:
    """Fill `out` with x - column, (d, m) each; x is the transpose of a part of a block."""
    if x.dtype == out.dtype:
        np.subtract(x, column, out=out)
        return
    if out.T.flags.c_contiguous:  # in one call, by way of NumPy's buffers
        with np.errstate():
            np.setbufsize(CONVERTED_ENTRIES)
            np.subtract(x.T, column.T, out=out.T)
        return
    out[:] = x  # by way of its buffers NumPy would turn it at half the speed
    np.subtract(out, column, out=out)


def _put_at_center(rows: Array, weights: Array) -> None:
    """Set rows (d, m) of weight 0 to the centre: they were not checked and may be huge."""
    if not weights.all():
        rows[:, weights == 0] = 0.0
