"""Rows of one column whose blocks are mapped as they are read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daskgmm.rows.rows import Get, Rows, Segment

Map = Callable[[NDArray[Any]], NDArray[Any]]
"""Picklable callable that takes a block of m rows and returns m entries of one axis."""


@dataclass(frozen=True, slots=True)
class MappedSegment:
    """Chunks of one column, mapped block by block."""

    segment: Segment
    function: Map

    @property
    def dependencies(self) -> Sequence[Any]:
        """Futures that the segment needs."""
        return self.segment.dependencies

    def stream(self, dependencies: Sequence[Any] = (), retries: int = 0) -> Iterator[NDArray[Any]]:
        """Yield the mapped blocks, (m,) each."""
        return map(self.function, self.segment.stream(dependencies, retries))


class MappedRows(Rows):
    """Rows of one column, mapped to one axis.

    Parameters
    ----------
    rows : Rows
    function : callable
    dtype : dtype, optional
        Type of the entries; by default that of the rows.
    """

    n_features = 1

    def __init__(self, rows: Rows, function: Map, dtype: np.dtype[Any] | None = None) -> None:
        self._rows, self._function = rows, function
        self.dtype = rows.dtype if dtype is None else dtype
        self.lengths, self.block_rows, self.source = rows.lengths, rows.block_rows, rows.source
        self.in_process, self.reads = rows.in_process, rows.reads
        self.ahead = rows.ahead
        self.read_copies, self.taken_as_missing = rows.read_copies, rows.taken_as_missing

    def prepare(self, get: Get | None = None, retries: int = 0) -> None:
        """Prepare the rows."""
        self._rows.prepare(get, retries)

    @property
    def futures(self) -> Sequence[Any]:
        """Futures of the rows."""
        return self._rows.futures

    def segment(self, first: int, stop: int) -> MappedSegment:
        """Return the chunks `first` to `stop` (exclusive)."""
        return MappedSegment(self._rows.segment(first, stop), self._function)
