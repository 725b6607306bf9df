"""Rows of a Zarr array."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

from numpy.typing import NDArray

from daskgmm.rows.ahead import configured_ahead
from daskgmm.rows.decoding.nodata import Decoding, declared_by_zarr, fills_missing, tell_zeros
from daskgmm.rows.stores.claims import check_claim
from daskgmm.rows.stores.stored_rows import Lengths, StoredRows
from daskgmm.rows.stores.zarr_reading import read
from daskgmm.rows.zarr_nodes.node import at_hand, in_memory, location
from daskgmm.rows.zarr_nodes.obstore_backend import portable
from daskgmm.storage.masking import shown


class ZarrRows(StoredRows):
    """Rows of a Zarr array; a chunk that is missing reads as the array's fill value."""

    def __init__(
        self, array: Any, lengths: Lengths = None, decoding: Decoding | None = None
    ) -> None:
        self._array = portable(array)
        applied = declared_by_zarr(array) if decoding is None else decoding
        check_claim(array, sparse=fills_missing(array, applied))
        super().__init__(array, partial(_read, self._array), applied, lengths)
        if not at_hand(self._array):
            self.ahead = configured_ahead()
        if array.ndim > 1 and decoding is None:
            tell_zeros(array, shown(location(array)))
        self.in_process = in_memory(array.store)

    @property
    def chunk_nbytes(self) -> int:
        """Decoded bytes of what the store holds in one file: a shard or a chunk."""
        unit = getattr(self._array, "shards", None) or self._array.chunks
        return int(math.prod(unit)) * self.dtype.itemsize


def _read(array: Any, start: int, stop: int) -> NDArray[Any]:
    return read(array, (slice(start, stop),))
