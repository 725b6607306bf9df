"""Blocks as they were stored into tiles as the kernels want them: (d, b), centred, full."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daskgmm.errors import DataError

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Block:
    """Rows read at once, with their weights.

    Attributes
    ----------
    x : ndarray of shape (m, d)
    weights : ndarray of shape (m,), or None
    kept : ndarray of shape (m,), or None
        Where some rows were left out: the places of the others among all that were read.
    read : int
        How many those were; ignored without `kept`.
    """

    x: NDArray[Any]
    weights: NDArray[Any] | None
    kept: NDArray[np.intp] | None = None
    read: int = 0

    @property
    def n_read(self) -> int:
        """How many rows were read, those left out included."""
        return len(self.x) if self.kept is None else self.read

    def numbers(self, first: int) -> NDArray[np.int64]:
        """Return the number of each row, if the first one that was read has the number `first`."""
        places = np.arange(len(self.x)) if self.kept is None else self.kept
        return first + places

    def hashes(self, of_rows: Callable[[int], NDArray[np.uint64]]) -> NDArray[np.uint64]:
        """Return what `of_rows` gives for the number of rows read, of those that are here."""
        found = of_rows(self.n_read)
        return found if self.kept is None else found[self.kept]


def paired(
    blocks: Iterator[NDArray[Any]], weights: Iterator[NDArray[Any]] | None
) -> Iterator[Block]:
    """Pair blocks of rows with blocks of weights, which may be cut at other places.

    Raises
    ------
    DataError
        If one of the two ends before the other.
    """
    if weights is None:
        for x in blocks:
            yield Block(x, None)
        return
    rest: NDArray[Any] = np.empty(0)
    for x in blocks:
        parts = [rest]
        while sum(map(len, parts)) < len(x):
            try:
                parts.append(next(weights))
            except StopIteration:
                raise DataError(
                    "sample_weight has fewer entries than there are rows. "
                    "Give one weight for each row."
                ) from None
        joined = parts[-1] if not len(rest) and len(parts) == 2 else np.concatenate(parts)
        yield Block(x, joined[: len(x)])
        rest = joined[len(x) :]
    if len(rest) or any(len(more) for more in weights):
        raise DataError(
            "sample_weight has more entries than there are rows. Give one weight for each row."
        )


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
