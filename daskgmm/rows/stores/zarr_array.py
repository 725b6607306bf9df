"""Rows of a Zarr array: format 2 or 3, sharded or not, in any store."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daskgmm.rows.grid import check_chunks, given_lengths, offsets, regular_lengths
from daskgmm.rows.labelled.nodata import (
    PLAIN,
    Decoding,
    declared_by_zarr,
    taken_as_missing,
    tell_zeros,
)
from daskgmm.rows.layout import check_rows, check_weights
from daskgmm.rows.retrying import retried
from daskgmm.rows.rows import Rows
from daskgmm.rows.stores.obstore_backend import portable
from daskgmm.rows.stores.zarr_reading import read
from daskgmm.rows.stores.zarr_store import in_memory, location
from daskgmm.storage.masking import shown

BLOCK_BYTES = 1 << 20
"""Decoded bytes of one read: several small chunks, which Zarr fetches concurrently, and little
enough that memory does not depend on the size of the array."""


@dataclass(frozen=True, slots=True)
class ZarrSegment:
    """Consecutive row blocks of a Zarr array.

    Attributes
    ----------
    array : zarr.Array
        It pickles as metadata and the address of its store, and reopens where it lands.
    bounds : tuple of int
        The row at which each block begins, and at which the last one ends.
    decoding : Decoding
    """

    array: Any
    bounds: tuple[int, ...]
    decoding: Decoding = PLAIN

    @property
    def dependencies(self) -> tuple[()]:
        """None: the segment reads the store itself."""
        return ()

    def stream(self, dependencies: Sequence[Any] = (), retries: int = 0) -> Iterator[NDArray[Any]]:
        """Read and yield block after block."""
        for start, stop in zip(self.bounds[:-1], self.bounds[1:], strict=True):
            part = (slice(start, stop),)
            yield self.decoding(retried(partial(read, self.array, part), retries))


class ZarrRows(Rows):
    """Rows of a Zarr array.

    Missing chunks read as the array's fill value: that is what Zarr means by them. Values that
    its attributes declare as missing become NaN, packed numbers are unpacked (see `nodata`).

    Parameters
    ----------
    array : zarr.Array of shape (n, d), or (n,) for weights
    lengths : sequence of int, optional
        Rows of each block, to follow the chunks of another source. By default a block is
        as many whole chunks (or shards, if one fits) as decode into 1 MiB, and at least one: a
        chunk is never split.
    """

    def __init__(
        self, array: Any, lengths: Sequence[int] | NDArray[np.int64] | None = None
    ) -> None:
        (check_weights if array.ndim == 1 else check_rows)(array.shape, array.dtype)
        self._array = portable(array)
        self._decoding = declared_by_zarr(array)
        if array.ndim > 1:
            tell_zeros(array, shown(location(array)))
        self.taken_as_missing = taken_as_missing(self._decoding.nodata)
        self.dtype = self._decoding.dtype(np.dtype(array.dtype))
        self.n_features = 1 if array.ndim == 1 else int(array.shape[1])
        self.in_process = in_memory(array.store)
        if lengths is None:
            self.lengths = regular_lengths(array.shape[0], rows_per_block(array, self.row_nbytes))
        else:
            self.lengths = given_lengths(lengths, array.shape[0])
        self._offsets = offsets(self.lengths)

    @property
    def chunk_nbytes(self) -> int:
        """Decoded bytes of what the store holds in one file: a shard or a chunk."""
        unit = getattr(self._array, "shards", None) or self._array.chunks
        return int(math.prod(unit)) * self.dtype.itemsize

    def segment(self, first: int, stop: int) -> ZarrSegment:
        """Return the blocks `first` to `stop` (exclusive), unread."""
        check_chunks(first, stop, len(self.lengths))
        bounds = tuple(self._offsets[first : stop + 1].tolist())
        return ZarrSegment(self._array, bounds, self._decoding)


def rows_per_block(array: Any, row_nbytes: int) -> int:
    """Return the rows of one read: whole shards or whole chunks, within `BLOCK_BYTES`."""
    fitting = max(1, BLOCK_BYTES // row_nbytes)
    shards = getattr(array, "shards", None)
    unit = int(array.chunks[0])
    if shards is not None and shards[0] <= fitting:
        unit = int(shards[0])
    return unit * max(1, fitting // unit)
