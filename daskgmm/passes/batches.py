"""Batches: runs of contiguous chunks, cut by data and model alone."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from daskgmm.rows.rows import UNKNOWN, Rows

BATCH_SECONDS = 0.1
"""Seconds of work in a batch of a large data set: a hundred times the overhead of a Dask task."""

MIN_BATCH_SECONDS = 1e-3
"""Least seconds of work in a batch of a small data set."""

MIN_BATCHES = 16
"""Number of batches of a data set with enough work: four tasks a thread on four threads."""

MAX_BATCHES = 1024
"""Number of batches that only `BATCH_BYTES` and much work may exceed: a scheduler and a driver take
2 ms for each."""

LARGE_BATCH_SECONDS = 10.0
"""Least seconds of work in a batch where there are more than `MAX_BATCHES`, for as many threads."""

MOST_BATCHES = 8192
"""Number of batches that only `BATCH_BYTES` may exceed: two for each of 4,000 threads."""

BATCH_BYTES = 4 << 30
"""Largest size of a batch in bytes. It is no memory, as a batch is read chunk by chunk, but what
a thread of a lost worker has read in vain, in 10 s or so."""

GUESSED_ROWS = 1 << 16
"""Number of rows assumed for a chunk of unknown length."""

UNKNOWN_CHUNK_SPAN = 1 << 40
"""Row numbers reserved for each chunk of unknown length."""


@dataclass(frozen=True, slots=True)
class Batch:
    """A run of chunks that one task reads.

    Attributes
    ----------
    index : int
        Index among the batches of the pass.
    first, stop : int
        Indices of the first chunk and of the one after the last.
    start_row : int
        Number of the first row; after a chunk of unknown length, a number of at least
        `UNKNOWN_CHUNK_SPAN` that is unique to the first chunk.
    rows : int or None
        Number of rows, if known.
    places : callable or None
        `Rows.places`.
    """

    index: int
    first: int
    stop: int
    start_row: int
    rows: int | None
    places: Callable[[int], str] | None = None

    @property
    def mark(self) -> int:
        """A number of 64 bits that is another one for other chunks or rows."""
        text = f"{self.index} {self.first} {self.stop} {self.start_row} {self.rows}"
        return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "little")

    def place(self, offset: int) -> str:
        """Describe in words the place of the row `offset` of this batch."""
        if self.start_row >= UNKNOWN_CHUNK_SPAN:
            return f"row {offset} of batch {self.index} (which begins with chunk {self.first})"
        number = self.start_row + offset
        where = f"row {number}" if self.places is None else self.places(number)
        return f"{where} (batch {self.index})"


def seconds_per_row(k: int, p: int) -> float:
    """Estimate the seconds that the E-step of one row takes on one thread.

    Two products of p k multiplications at 40 GFLOP/s, 2 ns for each exponential with its
    softmax, 1 ns for each statistic written: within a factor of 2 of the measurements.
    """
    return (0.1 * p * k + 2.0 * k + 1.0 * p) * 1e-9


def cut_batches(rows: Rows, row_seconds: float, least_rows: int = 0) -> tuple[Batch, ...]:
    """Cut rows into batches of about equal work, each of one chunk or more.

    They have about `least_rows` rows or more, or are all rows.
    """
    lengths = np.where(rows.lengths == UNKNOWN, GUESSED_ROWS, rows.lengths)
    total = int(lengths.sum())
    count = _batch_count(total * row_seconds, total * rows.row_nbytes)
    if least_rows:
        count = min(count, max(1, total // least_rows))
    edges = _edges(lengths, count)
    starts = _start_rows(rows.lengths)
    return tuple(
        Batch(
            index,
            int(first),
            int(stop),
            int(starts[first]),
            _known(rows.lengths[first:stop]),
            rows.places,
        )
        for index, (first, stop) in enumerate(itertools.pairwise(edges))
    )


def aligned(batches: Sequence[Batch], rows: Rows, unit: int) -> tuple[Batch, ...]:
    """Return the batches with borders at multiples of `unit` rows where chunks allow it.

    A border moves forward to the next chunk that starts at such a row, if that is before the
    next border; else it stays.
    """
    if not batches:
        return ()
    starts = np.concatenate([[0], np.cumsum(rows.lengths)])
    fitting = np.flatnonzero((starts % unit == 0) | (np.arange(len(starts)) == len(rows.lengths)))
    borders = [batch.stop for batch in batches]
    edges = [0]
    for border, following in zip(borders, [*borders[1:], len(rows.lengths)], strict=True):
        better = int(fitting[np.searchsorted(fitting, border)])
        edges.append(better if better < max(following, border + 1) else border)
    pairs = [(first, stop) for first, stop in itertools.pairwise(edges) if first < stop]
    return tuple(
        replace(
            batches[0],
            index=index,
            first=first,
            stop=stop,
            start_row=int(starts[first]),
            rows=int(starts[stop] - starts[first]),
        )
        for index, (first, stop) in enumerate(pairs)
    )


def _batch_count(seconds: float, nbytes: int) -> int:
    most = max(MAX_BATCHES, min(MOST_BATCHES, seconds / LARGE_BATCH_SECONDS))
    by_work = min(most, max(MIN_BATCHES, seconds / BATCH_SECONDS))
    by_work = min(by_work, seconds / MIN_BATCH_SECONDS)
    return max(1, int(by_work), -(-nbytes // BATCH_BYTES))


def _edges(lengths: NDArray[np.int64], count: int) -> NDArray[np.intp]:
    """Return the chunk indices at which batches of about total / count rows start."""
    ends = np.cumsum(lengths)
    total = int(ends[-1]) if len(ends) else 0
    targets = np.arange(1, count) * (total / count)
    inner = np.searchsorted(ends, targets) + 1
    edges: NDArray[np.intp] = np.unique(np.concatenate([[0], inner, [len(lengths)]]))
    return edges[edges <= len(lengths)]


def _start_rows(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the number of each chunk's first row, as `Batch.start_row` defines it."""
    unknown = lengths == UNKNOWN
    known = np.concatenate([[0], np.cumsum(np.where(unknown, 0, lengths))[:-1]])
    apart = np.arange(len(lengths)) * UNKNOWN_CHUNK_SPAN
    numbered = np.cumsum(unknown) - unknown == 0
    return np.where(numbered, known, apart).astype(np.int64)


def _known(lengths: NDArray[np.int64]) -> int | None:
    return None if (lengths == UNKNOWN).any() else int(lengths.sum())
