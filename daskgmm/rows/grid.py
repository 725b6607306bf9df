"""Lengths and borders of chunks of rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from daskgmm.counting import counted
from daskgmm.errors import DataError
from daskgmm.rows.rows import UNKNOWN


def regular_lengths(rows: int, rows_per_chunk: int) -> NDArray[np.int64]:
    """Return the lengths of chunks of `rows_per_chunk` rows; the last one may be shorter."""
    chunks = -(-rows // rows_per_chunk)
    lengths = np.full(chunks, rows_per_chunk, dtype=np.int64)
    if chunks:
        lengths[-1] = rows - (chunks - 1) * rows_per_chunk
    return lengths


def given_lengths(lengths: Sequence[int] | NDArray[np.int64], rows: int) -> NDArray[np.int64]:
    """Return lengths as int64; raise `DataError` unless they are known and add up to `rows`."""
    cut = np.array(lengths, dtype=np.int64)
    if (cut == UNKNOWN).any():
        raise DataError(
            "The rows cannot be cut into chunks of unknown length; find the lengths first, "
            "for a dask array with X.compute_chunk_sizes()."
        )
    if (cut < 0).any() or int(cut.sum()) != rows:
        raise DataError(
            f"The chunk lengths add up to {counted(int(cut.sum()), 'row')}, but there are {rows}; "
            "give lengths that cover every row once."
        )
    return cut


def offsets(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the first row of every chunk, and the number of rows at the end."""
    return np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(lengths, dtype=np.int64)])


def check_chunks(first: int, stop: int, chunks: int) -> None:
    """Raise IndexError unless `first` to `stop` is a run of the `chunks` chunks."""
    if not 0 <= first <= stop <= chunks:
        raise IndexError(f"Chunks {first} to {stop} are not among the {chunks} chunks there are.")
