"""Rows pooled across the borders of blocks: what is made of a pool depends on the rows alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daskgmm.companions import Companions
from daskgmm.gaussian.block import Block


def pools(
    blocks: Iterator[Block], d: int, capacity: int, rows: int | None = None
) -> Iterator[Block]:
    """Yield pools of `capacity` rows in float64, the last one of fewer.

    A pool lasts until the next one is asked for. Rows of weight 0 are zeros: their values were not
    checked.

    Parameters
    ----------
    blocks : iterator of Block
        With weights and labels beside their rows, or none.
    d : int
        Number of columns.
    capacity : int
    rows : int, optional
        Upper bound on the number of rows, if known.
    """
    filled, weighted = 0, False
    room = 0 if rows is None else min(rows, capacity)
    pool, weights = np.empty((room, d)), np.empty(room)
    labels: NDArray[np.intp] | None = None
    for block in blocks:
        taken, weighted = 0, block.weights is not None
        while taken < len(block.x):
            m = min(len(block.x) - taken, capacity - filled)
            if filled + m > len(pool):
                room = min(capacity, max(filled + m, 2 * len(pool)))
                pool, weights = _enlarged(pool, filled, room), _enlarged(weights, filled, room)
                labels = None if labels is None else _enlarged(labels, filled, room)
            into, part = slice(filled, filled + m), slice(taken, taken + m)
            pool[into] = block.x[part]
            if block.weights is not None:
                weights[into] = block.weights[part]
                pool[into][weights[into] == 0] = 0.0
            if block.beside.labels is not None:
                labels = np.empty(len(pool), np.intp) if labels is None else labels
                labels[into] = block.beside.labels[part]
            taken, filled = taken + m, filled + m
            if filled == capacity:
                yield Block(pool, Companions(weights if weighted else None, labels))
                filled = 0
    if filled:
        own = weights[:filled] if weighted else None
        known = None if labels is None else labels[:filled]
        yield Block(pool[:filled], Companions(own, known))


def _enlarged(values: NDArray[Any], filled: int, room: int) -> NDArray[Any]:
    larger = np.empty((room, *values.shape[1:]), values.dtype)
    larger[:filled] = values[:filled]
    return larger
