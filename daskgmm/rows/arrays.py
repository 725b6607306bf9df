"""Rows of an array in this process: NumPy arrays and memory maps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from daskgmm.rows.checks.layout import check_rows, check_weights
from daskgmm.rows.checks.naming import places
from daskgmm.rows.checks.plain import plain
from daskgmm.rows.grid import check_chunks, given_lengths, offsets, regular_lengths
from daskgmm.rows.rows import Rows

CHUNK_BYTES = 1 << 20
"""Bytes of a chunk: large against the overhead of Python, and small enough for the cache."""


@dataclass(frozen=True, slots=True)
class ArraySegment:
    """Consecutive chunks of an array in memory.

    Attributes
    ----------
    array : ndarray of shape (m, d) or (m,)
        A view of the rows of these chunks, so that a pickle holds no others.
    bounds : tuple of int
        Rows of `array` at which the chunks begin, and at which the last one ends.
    """

    array: NDArray[Any]
    bounds: tuple[int, ...]

    dependencies: ClassVar[tuple[()]] = ()

    def stream(self, dependencies: Sequence[Any] = (), retries: int = 0) -> Iterator[NDArray[Any]]:
        """Yield the chunks as views, without a copy."""
        for start, stop in zip(self.bounds[:-1], self.bounds[1:], strict=True):
            yield self.array[start:stop]


class ArrayRows(Rows):
    """Rows of a NumPy array or memory map.

    Parameters
    ----------
    array : ndarray of shape (n, d), or (n,) for weights
    lengths : sequence of int, optional
        Rows of each chunk, to follow the chunks of another source. By default chunks have
        a power of two of rows, the largest that fits in `CHUNK_BYTES`; an array without
        rows has no chunks.
    columns : tuple of str, optional
        Names of the columns.
    """

    in_process = True
    reads = False

    def __init__(
        self,
        array: NDArray[Any],
        lengths: Sequence[int] | NDArray[np.int64] | None = None,
        columns: tuple[str, ...] | None = None,
    ) -> None:
        # A plain view, as a slice of a memory map does not unpickle.
        self._array = plain(array, "The array")
        (check_weights if self._array.ndim == 1 else check_rows)(
            self._array.shape, self._array.dtype
        )
        self.dtype = self._array.dtype
        self.columns = columns
        self.n_features = 1 if self._array.ndim == 1 else self._array.shape[1]
        rows = self._array.shape[0]
        if lengths is None:
            self.lengths = regular_lengths(rows, rows_in(CHUNK_BYTES, self.row_nbytes))
        else:
            self.lengths = given_lengths(lengths, rows)
        self._offsets = offsets(self.lengths)

    def select(self, names: Sequence[str]) -> ArrayRows:
        """Return the rows with these columns only, as a copy unless nothing changes."""
        if tuple(names) == self.columns:
            return self
        chosen = places(names, self.columns)
        rows = ArrayRows(self._array[:, chosen], self.lengths, tuple(names))
        rows.long_integers = tuple(self.has_long_integers[place] for place in chosen)
        return rows

    def column(self, name: str) -> ArrayRows:
        """Return one column as weights."""
        return ArrayRows(self._array[:, places([name], self.columns)[0]], self.lengths)

    def segment(self, first: int, stop: int) -> ArraySegment:
        """Return the chunks `first` to `stop` (exclusive) as views."""
        check_chunks(first, stop, len(self.lengths))
        bounds = self._offsets[first : stop + 1]
        start = int(bounds[0])
        return ArraySegment(
            self._array[start : int(bounds[-1])], tuple(int(bound) - start for bound in bounds)
        )


def rows_in(nbytes: int, row_nbytes: int) -> int:
    """Return the largest power of two of rows that fit in `nbytes`, at least 1."""
    return 1 << (max(1, nbytes // row_nbytes).bit_length() - 1)
