"""Reads of a part of a Zarr array, for passes and for lazy arrays."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray
from zarr.core.sync import sync

from daskgmm.errors import SourceError
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


def check_shards(array: Any, part: Sequence[Any], values: NDArray[Any]) -> None:
    """Raise `ValueError` if a shard of a part that was read is an empty file.

    A disk that was full leaves one. Only those of which all values are the fill value are looked
    at; one that is not there is no mistake.
    """
    if getattr(array, "shards", None) is None or not all(isinstance(at, slice) for at in part):
        return
    ranges = [
        range(*at.indices(length))
        for at, length in zip((*part, *[slice(None)] * array.ndim), array.shape, strict=False)
    ]
    if any(each.step != 1 for each in ranges):
        return
    axes = [list(_pieces(each, unit)) for each, unit in zip(ranges, array.shards, strict=True)]
    for pieces in product(*axes):
        if may_be_missing(values[tuple(where for _, where in pieces)], array.fill_value):
            key = array.metadata.encode_chunk_key(tuple(shard for shard, _ in pieces))
            if _is_empty(array, key):
                raise ValueError(f"its shard {key} is an empty file")


def _pieces(rows: range, unit: int) -> Iterator[tuple[int, slice]]:
    """Yield the shards of a range along an axis, each with its place in the range."""
    for shard in np.unique([row // unit for row in (*rows[::unit], *rows[-1:])]).tolist():
        first, stop = shard * unit - rows.start, (shard + 1) * unit - rows.start
        yield shard, slice(max(0, first), min(len(rows), stop))


def _is_empty(array: Any, key: str) -> bool:
    place = array.store_path / key
    try:
        return bool(sync(place.store.getsize(place.path)) == 0)
    except FileNotFoundError:
        return False
