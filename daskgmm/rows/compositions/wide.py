"""Rows with further columns behind their own, which come from elsewhere, and tables of such."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daskgmm.errors import DataError
from daskgmm.rows.compositions.recutting import Recut
from daskgmm.rows.rows import Get, Rows, Segment
from daskgmm.rows.tables.keyed import KeyedRows, KeyedSegment, Table


@dataclass(frozen=True, slots=True)
class WideSegment:
    """Chunks of rows, each with the row of a second segment behind it."""

    rows: Segment
    behind: Segment

    @property
    def dependencies(self) -> tuple[Any, ...]:
        """Dependencies of both."""
        return (*self.rows.dependencies, *self.behind.dependencies)

    def stream(self, dependencies: Sequence[Any] = (), retries: int = 0) -> Iterator[NDArray[Any]]:
        """Yield the blocks of the first segment, made wider."""
        own = len(self.rows.dependencies)
        behind = Recut(self.behind.stream(dependencies[own:], retries))
        for block in self.rows.stream(dependencies[:own], retries):
            yield _widened(block, behind)


@dataclass(frozen=True, slots=True)
class WideKeyedSegment(KeyedSegment):
    """A `WideSegment` whose rows have keys."""

    rows: KeyedSegment
    behind: Segment

    @property
    def dependencies(self) -> tuple[Any, ...]:
        """Dependencies of both."""
        return (*self.rows.dependencies, *self.behind.dependencies)

    def keyed(self, dependencies: Sequence[Any] = (), retries: int = 0) -> Iterator[KeyedRows]:
        """Yield the rows of the first segment, made wider, with their keys."""
        own = len(self.rows.dependencies)
        behind = Recut(self.behind.stream(dependencies[own:], retries))
        for part in self.rows.keyed(dependencies[:own], retries):
            yield replace(part, x=_widened(part.x, behind))


def _widened(block: NDArray[Any], behind: Recut) -> NDArray[Any]:
    more = behind.take(len(block))
    if len(more) < len(block):
        raise DataError(
            f"The columns behind the rows end {len(block) - len(more)} rows before these. Give as "
            "many rows of both."
        )
    return np.concatenate([block, more.reshape(len(block), -1)], axis=1)


class WideRows(Rows):
    """Rows with the columns of others behind their own.

    Parameters
    ----------
    rows, behind : Rows
        With the same lengths of chunks; blocks within a chunk may differ.
    """

    def __init__(self, rows: Rows, behind: Rows) -> None:
        self._rows, self._behind = rows, behind
        self.lengths, self.places, self.source = rows.lengths, rows.places, rows.source
        self.taken_as_missing, self.block_rows = rows.taken_as_missing, rows.block_rows
        self.n_features = rows.n_features + behind.n_features
        self.dtype = np.result_type(rows.dtype, behind.dtype)
        self.long_integers = (*rows.has_long_integers, *behind.has_long_integers)
        self.in_process = rows.in_process or behind.in_process
        self.reads = rows.reads or behind.reads
        self.read_copies = max(rows.read_copies, behind.read_copies) + 1.0  # joined
        self.ahead = max(rows.ahead, behind.ahead)

    def prepare(self, get: Get | None = None, retries: int = 0) -> None:
        """Prepare both."""
        self._rows.prepare(get, retries)
        self._behind.prepare(get, retries)

    @property
    def futures(self) -> tuple[Any, ...]:
        """Futures of both."""
        return (*self._rows.futures, *self._behind.futures)

    def segment(self, first: int, stop: int) -> WideSegment:
        """Return the chunks `first` to `stop` (exclusive)."""
        return WideSegment(self._rows.segment(first, stop), self._behind.segment(first, stop))


class WideTable(Table):
    """A table whose rows have further columns behind their own.

    Parameters
    ----------
    table : Table
    behind : Rows
        With the lengths of the rows of the table.
    """

    def __init__(self, table: Table, behind: Rows) -> None:
        self._table, self._behind = table, behind
        self.rows, self.features = WideRows(table.rows, behind), table.features
        self.schema, self.mark, self.whole = table.schema, table.mark, table.whole

    def segment(self, first: int, stop: int) -> WideKeyedSegment:
        """Return the chunks `first` to `stop` (exclusive) with their keys, unread."""
        rows = self._table.segment(first, stop)
        return WideKeyedSegment(rows, self._behind.segment(first, stop))
