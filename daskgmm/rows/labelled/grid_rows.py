"""Rows on a grid: the blocks of a Dask array of any rank, flattened one by one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby, product
from typing import Any, Self

import numpy as np

from daskgmm.rows.checks import naming
from daskgmm.rows.lazy.dask_array import DaskRows

Runs = tuple[tuple[int, int], ...]
"""Lengths of the blocks along a dimension, as pairs of a length and its number of repetitions."""


@dataclass(frozen=True, slots=True)
class GridPlaces:
    """Describes the place of a row by the indices of its point along the dimensions.

    Every batch has one, so it holds runs of equal blocks instead of single blocks.

    Attributes
    ----------
    dims : tuple of str
    runs : tuple of Runs
        Runs of blocks along each dimension.
    """

    dims: tuple[str, ...]
    runs: tuple[Runs, ...]

    @classmethod
    def of(cls, dims: Sequence[str], chunks: Sequence[Sequence[int]]) -> Self:
        """Return the places of rows in blocks with these lengths along each dimension."""
        runs = tuple(
            tuple((int(n), len(list(group))) for n, group in groupby(lengths)) for lengths in chunks
        )
        return cls(tuple(dims), runs)

    def __call__(self, number: int) -> str:
        """Return the place of the row with this number, in words."""
        totals = [sum(n * times for n, times in runs) for runs in self.runs]
        starts, sizes, rest = list[int](), list[int](), number
        for axis, runs in enumerate(self.runs):
            # Number of rows, per point along this dimension, of a slab of one block.
            thick = int(np.prod([*sizes, *totals[axis + 1 :]], dtype=np.int64))
            start, size = _block_at(runs, rest // thick if thick else 0)
            if not size:
                return f"row {number} beyond the last block"
            rest -= start * thick
            starts.append(start)
            sizes.append(size)
        return point(self.dims, starts, sizes, rest)


def _block_at(runs: Runs, index: int) -> tuple[int, int]:
    """Return where the block with this index along a dimension begins, and its length."""
    lengths, times = np.array(runs or [(0, 0)], np.int64).T
    ends = np.cumsum(lengths * times)
    if index >= ends[-1]:
        return int(ends[-1]), 0
    run = int(np.searchsorted(ends, index, side="right"))
    first = int(ends[run] - lengths[run] * times[run])
    size = int(lengths[run])
    return first + (index - first) // size * size, size


def point(dims: Sequence[str], starts: Sequence[int], sizes: Sequence[int], row: int) -> str:
    """Return the place of a row of a block, which begins at `starts`, in words."""
    if not dims:
        return "the only row"
    within = np.unravel_index(row, sizes)
    return ", ".join(
        f"{dim}[{int(start + inside)}]"
        for dim, start, inside in zip(dims, starts, within, strict=True)
    )


class GridRows(DaskRows):
    """Rows of an array of shape (*grid, d), or weights of shape (*grid,).

    Rows are numbered block by block, and in C order within a block.

    Parameters
    ----------
    x : dask.array.Array
        With one chunk along the last axis, if that is one of features.
    dims : tuple of str
        Names of the axes of the grid.
    """

    def __init__(self, x: Any, dims: tuple[str, ...]) -> None:
        axes = len(dims)
        blocks = list(product(*(range(n) for n in x.numblocks[:axes])))
        rest = (0,) * (x.ndim - axes)
        keys = [((x.name, *block, *rest),) for block in blocks]
        chunks = x.chunks[:axes]
        sizes = [[c[i] for c, i in zip(chunks, block, strict=True)] for block in blocks]
        self._begin(x, keys, np.array([int(np.prod(size)) for size in sizes], np.int64), axes)
        self.places, self.n_dims = GridPlaces.of(dims, chunks), axes
        self._array, self._dims = x, dims

    def select(self, names: Sequence[str]) -> GridRows:
        """Return the rows with these columns only, in the same blocks."""
        chosen = naming.places(names, self.columns)
        rows = GridRows(self._array[..., chosen], self._dims)
        rows.columns, rows.taken_as_missing = tuple(names), self.taken_as_missing
        rows.long_integers = tuple(self.has_long_integers[place] for place in chosen)
        return rows

    def column(self, name: str) -> GridRows:
        """Return one column as weights, in the same blocks."""
        return GridRows(self._array[..., naming.places([name], self.columns)[0]], self._dims)
