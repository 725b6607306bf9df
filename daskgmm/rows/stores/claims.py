"""Checks of what the metadata of a Zarr array claims, before memory is taken or time is spent.

Zarr reads a missing chunk as the fill value: a spoiled shape is a store of zeros without end.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from zarr.core.sync import sync

from daskgmm.errors import SourceError
from daskgmm.rows.zarr_nodes.node import address_of
from daskgmm.user_warnings import warn_user

DOUBTED_BYTES, DOUBTED_CHUNKS = 1 << 31, 10_000
"""Decoded bytes, and chunks, up to which a shape is believed: they are read in seconds."""

REFUSED_BYTES, REFUSED_CHUNKS = 1 << 47, 1 << 27
"""Decoded bytes, and chunks, above which a shape is refused if no chunk of its last half is stored:
a list of its blocks has no place in memory."""

LONGEST = int(np.iinfo(np.int64).max)
"""Largest length along an axis. Zarr divides by that of chunks: of 1e400 it reads none, and returns
memory that nothing was written to."""

LOOKED_FOR = 64
"""Chunks of the last half that are looked for where the last one is missing."""


def check_claim(array: Any, sparse: bool) -> None:
    """Refuse, or warn of, a large array without a chunk in the last half that its shape claims.

    `sparse`: a missing chunk is one of missing values, as on grids of which the end is not written
    yet. Of numbers it may be right too: Zarr leaves chunks out that hold the fill value alone.

    Raises
    ------
    SourceError
        If chunks hold no value, are of unequal lengths or longer than any array, or the shape has
        no place in memory.
    """
    _check_regular(array)
    if min(_units(array), default=1) < 1:
        raise SourceError(
            f"{address_of(array)} says that its chunks have the shape {_units(array)}, which "
            "holds no value. Its metadata are damaged: write it again."
        )
    if max(_units(array), default=1) > LONGEST:
        raise SourceError(
            f"{address_of(array)} says that its chunks have more than {LONGEST:,} places along an "
            "axis. Its metadata are damaged: write it again."
        )
    counts = chunk_counts(array)
    chunks = math.prod(counts)
    size = math.prod(array.shape) * np.dtype(array.dtype).itemsize
    refused = size > REFUSED_BYTES or chunks > REFUSED_CHUNKS
    doubted = not sparse and (size > DOUBTED_BYTES or chunks > DOUBTED_CHUNKS)
    if not refused and not doubted:
        return
    step = max(1, chunks // 2 // LOOKED_FOR)
    numbers = range(chunks - 1, chunks // 2 - 1, -step)
    if any(
        _are_stored(array, [_place(number, counts) for number in some])
        for some in (numbers[:1], numbers[1:])
    ):
        return
    what = (
        f"{address_of(array)} says that it has the shape {tuple(array.shape)}, and none of the "
        f"{len(numbers)} chunks that were looked for in its last half is stored"
    )
    if refused:
        raise SourceError(
            f"{what}. Its metadata are damaged, or it is not written yet. Write it, or give it the "
            "shape that it has (resize)."
        )
    warn_user(
        f"{what}: rows there are read as the fill value {array.fill_value}. If it is not written "
        "yet, give it the shape that it has (resize), or declare the fill value as missing."
    )


def _check_regular(array: Any) -> None:
    try:
        array.chunks  # noqa: B018
    except NotImplementedError:
        raise SourceError(
            f"{address_of(array)} has chunks of unequal lengths, which are not read. Copy it "
            "into an array whose chunks have one shape: zarr.create_array(..., chunks=...)."
        ) from None


def chunk_counts(array: Any) -> tuple[int, ...]:
    """Return how many files along each axis an array has."""
    return tuple(-(-n // unit) for n, unit in zip(array.shape, _units(array), strict=True))


def _units(array: Any) -> tuple[int, ...]:
    return tuple(getattr(array, "shards", None) or array.chunks)


def _place(number: int, counts: tuple[int, ...]) -> tuple[int, ...]:
    """Return the coordinates of a chunk, of which the last axis runs fastest; of any size."""
    place = []
    for count in reversed(counts):
        number, along = divmod(number, count)
        place.append(along)
    return tuple(reversed(place))


def _are_stored(array: Any, places: Sequence[tuple[int, ...]]) -> bool:
    """Return whether one of these chunks is stored; they are asked for at once."""
    keys = map(array.metadata.encode_chunk_key, places)

    async def answers() -> list[bool]:
        return list(await asyncio.gather(*((array.store_path / key).exists() for key in keys)))

    return any(sync(answers()))
