"""A column of texts of Parquet files, read as texts or as their places among names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from daskgmm.rows.grid import check_chunks
from daskgmm.rows.parquet.footers import Footer
from daskgmm.rows.parquet.rows import PAGE_BYTES, ParquetRows
from daskgmm.rows.parquet.segment import CARRIED_BYTES, Piece, Query, read_groups
from daskgmm.rows.retries import retried_stream
from daskgmm.rows.tables.arrow_texts import entries_of, is_text
from daskgmm.rows.texts import Texts


@dataclass(frozen=True, slots=True)
class TextSegment:
    """Consecutive row groups, of which one column is read.

    Attributes
    ----------
    pieces : tuple of Piece
    query : Query
    names : tuple of str, or None
    """

    pieces: tuple[Piece, ...]
    query: Query
    names: tuple[str, ...] | None

    dependencies: ClassVar[tuple[()]] = ()

    def stream(self, dependencies: Sequence[Any] = (), retries: int = 0) -> Iterator[NDArray[Any]]:
        """Read and yield block after block, (m,): texts and None, or places."""
        (name,) = self.query.carried
        make = partial(_entries, name, self.names)
        for piece in self.pieces:
            yield from retried_stream(partial(read_groups, piece, self.query, make), retries)


class TextColumn(Texts):
    """The texts of a column, in the chunks of the other ones.

    Parameters
    ----------
    rows : ParquetRows
        Of the same files.
    name : str
        The column.
    names : tuple of str, optional
        Sorted texts whose places are read, -1 for null; by default the texts themselves are.
    """

    dtype = np.dtype(np.int32)

    def __init__(self, rows: ParquetRows, name: str, names: tuple[str, ...] | None = None) -> None:
        self._rows, self._name, self._names = rows, name, names
        self.ahead = rows.ahead
        self._query = Query((), self.dtype, carried=(name,), ahead=rows.ahead)
        self.lengths, self.in_process = rows.lengths, rows.in_process
        self.block_rows = self._query.block_rows
        block = min(int(self.lengths.max(initial=0)), self.block_rows)
        page = (PAGE_BYTES + self._query.fetched_nbytes) / max(1, block)
        self.read_copies = 1.0 + (3 * CARRIED_BYTES + page) / self.dtype.itemsize

    def among(self, names: tuple[str, ...]) -> TextColumn:
        """Return the places of the texts among sorted ones."""
        return TextColumn(self._rows, self._name, names)

    def segment(self, first: int, stop: int) -> TextSegment:
        """Return the row groups `first` to `stop` (exclusive), unread."""
        check_chunks(first, stop, len(self.lengths))
        return TextSegment(tuple(self._rows.pieces(first, stop)), self._query, self._names)


def holds_texts(footers: Sequence[Footer], name: str) -> bool:
    """Return whether a column holds texts, in all files."""
    columns = [footer.columns.get(name) for footer in footers]
    return all(column is not None and is_text(column.kind) for column in columns)


def _entries(
    name: str, names: tuple[str, ...] | None, group: int, block: NDArray[Any], batch: Any
) -> NDArray[Any]:
    """Return the texts of a batch, or their places."""
    return entries_of(batch.column(name), name, names)
