"""Rows grouped by their pattern: which values are observed."""

from __future__ import annotations

from collections.abc import Iterator
from operator import itemgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daskgmm.gaussian.block import Block
from daskgmm.gaussian.pooling import pools

Pattern = NDArray[np.bool_]
"""Whether each column is observed, shape (d,)."""

POOL_BYTES = 32 << 20
"""Rows that are collected before they are grouped. With more of them each pattern has longer
products; 50 patterns of 10 columns have 4,000 rows each."""

WORD = 16
"""Columns up to which patterns are sorted as numbers of 16 bits, which NumPy does by their digits,
in a tenth of the time."""


def pool_rows(d: int) -> int:
    """Return the number of rows of d columns that are grouped at once."""
    return max(256, POOL_BYTES // (8 * d))


def pool_nbytes(d: int) -> int:
    """Return the most bytes that grouping of rows holds: the rows, in their order and as parts."""
    return pool_rows(d) * (8 * (3 * d + 6) + 2 * d)


def by_pattern(x: NDArray[Any]) -> Iterator[tuple[Pattern, NDArray[np.intp]]]:
    """Yield the patterns of rows x (m, d), with the numbers of their rows, in order.

    Patterns with as many observed values follow each other: tiles of one shape share buffers.
    """
    if not len(x):
        return
    observed = ~np.isnan(x)
    codes = _codes(observed)
    order = np.lexsort(codes.T) if codes.shape[1] > 1 else np.argsort(codes[:, 0], kind="stable")
    ordered = codes[order]
    starts = np.flatnonzero((ordered[1:] != ordered[:-1]).any(axis=1)) + 1
    groups = [(observed[rows[0]], rows) for rows in np.split(order, starts)]
    yield from sorted(groups, key=lambda group: int(group[0].sum()))


def _codes(observed: NDArray[np.bool_]) -> NDArray[Any]:
    """Return numbers (m, words) that tell patterns apart."""
    d = observed.shape[1]
    if d <= WORD:
        # Exact in float32, and a product takes a fifth of the time of packing.
        powers = np.exp2(np.arange(d, dtype=np.float32))
        return (observed.astype(np.float32) @ powers).astype(np.uint16)[:, None]
    bits = np.packbits(observed, axis=1)
    padded = np.zeros((len(bits), -(-bits.shape[1] // 8) * 8), np.uint8)
    padded[:, : bits.shape[1]] = bits
    return padded.view(np.uint64)


def grouped(
    blocks: Iterator[Block], d: int, rows: int | None = None
) -> Iterator[tuple[Pattern, Block]]:
    """Yield rows pattern by pattern, each with the columns observed alone.

    Rows are collected across the borders of blocks, so that groups depend on the rows alone. Those
    of weight 0 come with the complete ones, as zeros: their values were not checked.

    Parameters
    ----------
    blocks : iterator of Block
    d : int
        Number of columns.
    rows : int, optional
        Upper bound on the number of rows, if known.
    """
    for pool in pools(blocks, d, pool_rows(d), rows):
        yield from _groups(pool)


def _groups(pool: Block) -> Iterator[tuple[Pattern, Block]]:
    for pattern, rows in by_pattern(pool.x):
        chosen = np.take(pool.x, rows, axis=0)
        if not pattern.all():
            # Column by column, as tiles take them: half of the time of rows.
            chosen = chosen.T[np.flatnonzero(pattern)].T
        yield pattern, Block(chosen, pool.beside.map(itemgetter(rows)))
