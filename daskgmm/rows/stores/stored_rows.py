"""Rows of a stored array, read in blocks of whole chunks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from daskgmm.rows.checks.layout import check_rows, check_weights
from daskgmm.rows.decoding.nodata import PLAIN, Decoding, taken_as_missing
from daskgmm.rows.grid import check_chunks, given_lengths, offsets, regular_lengths
from daskgmm.rows.retries import retried
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
    """

    read: Callable[[int, int], NDArray[Any]]
    bounds: tuple[int, ...]
    decoding: Decoding = PLAIN

    dependencies: ClassVar[tuple[()]] = ()

    def stream(self, dependencies: Sequence[Any] = (), retries: int = 0) -> Iterator[NDArray[Any]]:
        """Read and yield block after block."""
        for start, stop in zip(self.bounds[:-1], self.bounds[1:], strict=True):
            yield self.decoding(retried(partial(self.read, start, stop), retries))


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
        self.taken_as_missing = taken_as_missing(decoding.nodata)
        self.dtype = decoding.dtype(np.dtype(array.dtype))
        self.n_features = 1 if array.ndim == 1 else int(array.shape[1])
        if lengths is None:
            self.lengths = regular_lengths(array.shape[0], rows_per_block(array, self.row_nbytes))
        else:
            self.lengths = given_lengths(lengths, array.shape[0])
        self._offsets = offsets(self.lengths)

    def segment(self, first: int, stop: int) -> StoredSegment:
        """Return the blocks `first` to `stop` (exclusive), unread."""
        check_chunks(first, stop, len(self.lengths))
        bounds = tuple(self._offsets[first : stop + 1].tolist())
        return StoredSegment(self._read, bounds, self._decoding)


def rows_per_block(array: Any, row_nbytes: int) -> int:
    """Return the rows of one read: whole shards or chunks, at least one, within `BLOCK_BYTES`."""
    fitting = max(1, BLOCK_BYTES // row_nbytes)
    shards = getattr(array, "shards", None)
    unit = 1 if array.chunks is None else int(array.chunks[0])
    if shards is not None and shards[0] <= fitting:
        unit = int(shards[0])
    return unit * max(1, fitting // unit)
