"""Rows on a grid: the blocks of a Dask array of any rank, each flattened where it is."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from daskgmm.rows.dask_array import DaskRows


@dataclass(frozen=True, slots=True)
class GridPlaces:
    """Says where a row is: the place of its point along each dimension.

    Attributes
    ----------
    dims : tuple of str
    chunks : tuple of tuple of int
        Lengths of the blocks along each dimension.
    """

    dims: tuple[str, ...]
    chunks: tuple[tuple[int, ...], ...]

    def __call__(self, number: int) -> str:
        """Return the place of the row with this number, in words."""
        for block in product(*(range(len(lengths)) for lengths in self.chunks)):
            sizes = [lengths[i] for lengths, i in zip(self.chunks, block, strict=True)]
            rows = int(np.prod(sizes))
            if number < rows:
                starts = [sum(c[:i]) for c, i in zip(self.chunks, block, strict=True)]
                return point(self.dims, starts, sizes, number)
            number -= rows
        return f"row {number} beyond the last block"


def point(dims: tuple[str, ...], starts: list[int], sizes: Any, row: int) -> str:
    """Return the place of a row of a block, which begins at `starts`, in words."""
    within = np.unravel_index(row, sizes)
    places = [int(start + inside) for start, inside in zip(starts, within, strict=True)]
    return ", ".join(f"{dim}[{place}]" for dim, place in zip(dims, places, strict=True))


class GridRows(DaskRows):
    """Rows of an array of shape (*grid, d), or weights of shape (*grid,).

    Block after block, and in C order within each: so rows are numbered as the grid is cut.

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
        self.places = GridPlaces(dims, chunks)
