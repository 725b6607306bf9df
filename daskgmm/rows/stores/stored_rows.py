"""Rows of a stored array, read in blocks of whole chunks."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from daskgmm.rows.ahead import FETCHED_BYTES, fetched
from daskgmm.rows.checks.layout import check_rows, check_weights
from daskgmm.rows.decoding.nodata import PLAIN, Decoding, taken_as_missing
from daskgmm.rows.grid import check_chunks, given_lengths, offsets, regular_lengths
from daskgmm.rows.long_integers import is_long
from daskgmm.rows.retries import retried_in_parts
from daskgmm.rows.rows import Rows

BLOCK_BYTES = 1 << 20
"""Decoded bytes of one read: several small chunks, which Zarr fetches concurrently, and little
enough that memory does not depend on the size of the array."""

Lengths = Sequence[int] | NDArray[np.int64] | None


@dataclass(frozen=True, slots=True)
class StoredSegment:
    """Consecutive row blocks of a stored array.

    Attributes
    ----------
    read : callable
        Reads the rows from a first to a last one (exclusive), also where it is unpickled.
    bounds : tuple of int
        The row at which each block begins, and at which the last one ends.
    decoding : Decoding
    ahead : int
        `Rows.ahead`; if it is not 0, small blocks are read together.
    row_nbytes : int
        Decoded bytes of a row.
    chunk : int
        Rows of a chunk of the store, the least that a read takes.
    """

    read: Callable[[int, int], NDArray[Any]]
    bounds: tuple[int, ...]
    decoding: Decoding = PLAIN
    ahead: int = 0
    row_nbytes: int = 1
    chunk: int = 1

    dependencies: ClassVar[tuple[()]] = ()

    def stream(self, dependencies: Sequence[Any] = (), retries: int = 0) -> Iterator[NDArray[Any]]:
        """Read and yield block after block."""
        spans = list(self._spans())
        longest = max((span[-1] - span[0] for span in spans), default=0)
        reads = (
            partial(retried_in_parts, self.read, span[0], span[-1], self.chunk, retries)
            for span in spans
        )
        found = fetched(reads, max(longest, self.chunk) * self.row_nbytes, self.ahead)
        for span in spans:
            blocks = _cut(next(found), span)
            while blocks:  # and no name refers to a block while the caller works on it
                yield self.decoding(blocks.pop())

    def _spans(self) -> Iterator[tuple[int, ...]]:
        """Yield the bounds of the blocks of each read: one block, or small ones in a row."""
        most = FETCHED_BYTES // self.row_nbytes if self.ahead else 0
        first, last = 0, len(self.bounds) - 1
        while first < last:
            stop = first + 1
            while stop < last and self.bounds[stop + 1] - self.bounds[first] <= most:
                stop += 1
            yield self.bounds[first : stop + 1]
            first = stop


def _cut(values: NDArray[Any], span: tuple[int, ...]) -> list[NDArray[Any]]:
    """Return the blocks of a read, the last one first."""
    if len(span) == 2:
        return [values]
    pairs = list(itertools.pairwise(bound - span[0] for bound in span))
    return [values[start:stop] for start, stop in reversed(pairs)]


class StoredRows(Rows):
    """Rows of an array of Zarr or HDF5.

    Values that its attributes declare as missing become NaN, packed numbers are unpacked (see
    `nodata`).

    Parameters
    ----------
    array : zarr.Array or h5py.Dataset, of shape (n, d), or (n,) for weights
    read : callable
        `StoredSegment.read`.
    decoding : Decoding
    lengths : sequence of int, optional
        Rows of each block, to follow the chunks of another source; by default `rows_per_block`.
    """

    def __init__(
        self,
        array: Any,
        read: Callable[[int, int], NDArray[Any]],
        decoding: Decoding,
        lengths: Lengths,
    ) -> None:
        (check_weights if array.ndim == 1 else check_rows)(array.shape, array.dtype)
        self._read, self._decoding = read, decoding
        self._chunk = 1 if array.chunks is None else int(array.chunks[0])
        self.taken_as_missing = taken_as_missing(decoding.nodata)
        self.dtype = decoding.dtype(np.dtype(array.dtype))
        width = 1 if array.ndim == 1 else array.shape[1]
        self.long_integers = (is_long(np.dtype(array.dtype)),) * width
        self.n_features = 1 if array.ndim == 1 else int(array.shape[1])
        if lengths is None:
            self.lengths = regular_lengths(array.shape[0], rows_per_block(array, self.row_nbytes))
        else:
            self.lengths = given_lengths(lengths, array.shape[0])
        self._offsets = offsets(self.lengths)

    def segment(self, first: int, stop: int) -> StoredSegment:
        """Return the blocks `first` to `stop` (exclusive), unread."""
        check_chunks(first, stop, len(self.lengths))
        return self._between(tuple(self._offsets[first : stop + 1].tolist()))

    def _between(self, bounds: tuple[int, ...]) -> StoredSegment:
        """Return the blocks with these bounds, unread."""
        return StoredSegment(
            self._read, bounds, self._decoding, self.ahead, self.row_nbytes, self._chunk
        )


def rows_per_block(array: Any, row_nbytes: int) -> int:
    """Return the rows of one read: whole shards or chunks, at least one, within `BLOCK_BYTES`."""
    fitting = max(1, BLOCK_BYTES // row_nbytes)
    shards = getattr(array, "shards", None)
    unit = 1 if array.chunks is None else int(array.chunks[0])
    if shards is not None and shards[0] <= fitting:
        unit = int(shards[0])
    return unit * max(1, fitting // unit)
