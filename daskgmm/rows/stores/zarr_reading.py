"""Reads of a part of a Zarr array, for passes and for lazy arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from daskgmm.errors import SourceError
from daskgmm.rows.stores.shards import check_shards
from daskgmm.rows.zarr_nodes.node import address_of
from daskgmm.rows.zarr_nodes.presence import check_present, may_be_missing

READ_AGAIN = "If the store could not be reached, run again; if a chunk is damaged, write it again."

Part = tuple[Any, ...]
"""An index of an array: slices, one for each of the first axes."""


def read(array: Any, part: Part) -> NDArray[Any]:
    """Return a part of a Zarr array as it is stored; raise `SourceError` if it is not found."""
    try:
        values = np.asarray(array[part])
        if may_be_missing(values, array.fill_value):
            check_present(array)
        check_shards(array, part, values)
        return values
    except Exception:
        address = address_of(array)  # only now, as each block would pay for it
        what = f"{_in_words(part)} of {address} cannot be read"
        with address.explain(SourceError, what, READ_AGAIN):
            raise


def _in_words(part: Part) -> str:
    """Return an index in words: rows, or a range along each axis."""
    if len(part) == 1 and isinstance(part[0], slice):
        return f"Rows {part[0].start} to {part[0].stop}"
    ranges = (f"{at.start}:{at.stop}" if isinstance(at, slice) else at for at in part)
    return f"The values [{', '.join(map(str, ranges))}]"
