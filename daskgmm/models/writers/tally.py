"""Counts of batches that are written, and their tally, which the journal of a run holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Piece:
    """Rows that share their chunk with another batch.

    Attributes
    ----------
    start : int
        The number of the first one.
    arrays : dict of ndarray
    """

    start: int
    arrays: Arrays

    @property
    def stop(self) -> int:
        """The number after the last one."""
        return self.start + len(next(iter(self.arrays.values())))

    @property
    def region(self) -> tuple[slice, ...]:
        """Its rows."""
        return (slice(self.start, self.stop),)


@dataclass(frozen=True, slots=True)
class WrittenBatch:
    """Counts of a batch that was written.

    Attributes
    ----------
    index : int
    rows : int
    counts : ndarray of int64, shape (k + 2,) or (k + 3,)
        Those of `writing.counts_of`; of parts in Parquet at the end all rows.
    pieces : tuple of Piece
        What it has not written.
    mark : str
        A digest of its first rows.
    digests : dict of str
        By region or file: a digest of what it has written, where the place is contested.
    """

    index: int
    rows: int
    counts: NDArray[np.int64]
    pieces: tuple[Piece, ...]
    mark: str
    digests: dict[str, str]


@dataclass(slots=True)
class Tally:
    """Counts of a run so far; `add` changes them.

    Attributes
    ----------
    counts : ndarray of int64
        Sum of the counts of the batches in `done`.
    done : set of int
        The batches of which every row is written.
    marks : dict of str
        By batch: a digest of its first rows as they were read.
    digests : dict of str
        By region or file: a digest of what was written, where `Target.contested`.
    """

    counts: NDArray[np.int64]
    done: set[int] = field(default_factory=set)
    marks: dict[int, str] = field(default_factory=dict)
    digests: dict[str, str] = field(default_factory=dict)

    def add(self, result: WrittenBatch) -> None:
        """Take in what a batch has written, all of it if it has left no pieces."""
        self.marks[result.index] = result.mark
        self.digests.update(result.digests)
        if not result.pieces:
            self.complete(result.index, result.counts)

    def complete(self, index: int, counts: NDArray[np.int64]) -> None:
        """Take in a batch of which every row is written."""
        self.done.add(index)
        self.counts = self.counts + counts
