"""Consecutive row groups of Parquet files, read where they land, in blocks of bounded size."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from daskgmm.errors import DataError, SourceError
from daskgmm.rows.arrow_columns import fill, require
from daskgmm.rows.naming import listed
from daskgmm.rows.parquet_files import Options, opened
from daskgmm.rows.retrying import retried_stream
from daskgmm.storage_options import described, harmless, shown

Made = TypeVar("Made")

BLOCK_BYTES = 1 << 20
"""Decoded bytes of one block: memory does not depend on the size of row groups."""

STORED_BYTES = 16 << 20
LEAST_STORED_BYTES = 64 << 10
MOST_STORED_BYTES = 1 << 20
"""Stored bytes of all columns, and of each, that are fetched at a time. Whole column chunks
(pyarrow's default) took 200 MiB for 20 columns of 8 MB, these 45 to 60, in less than half the
time; in a store each fetch waits for an answer."""

CARRIED_BYTES = 32
"""Taken for a value of a column that is carried along, which may be a text."""


@dataclass(frozen=True, slots=True)
class Query:
    """What is taken from each file.

    Attributes
    ----------
    names : tuple of str
        The columns, in the order of the features.
    dtype : numpy.dtype
        Of the blocks.
    weights : bool
        Whether blocks are one column with one axis.
    options : dict or None
        For fsspec; they may hold a password, so they are never shown.
    carried : tuple of str
        Columns that are read as well, and are no rows.
    """

    names: tuple[str, ...]
    dtype: np.dtype[Any]
    weights: bool = False
    options: Options = field(default=None, repr=False)
    carried: tuple[str, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns that are read, each once."""
        return tuple(dict.fromkeys((*self.names, *self.carried)))

    @property
    def row_nbytes(self) -> int:
        """Decoded bytes of a row."""
        return len(self.names) * self.dtype.itemsize + len(self.carried) * CARRIED_BYTES

    @property
    def block_rows(self) -> int:
        """Most rows of a block."""
        return max(1, BLOCK_BYTES // self.row_nbytes)

    @property
    def buffer_size(self) -> int:
        """Stored bytes of a column that are fetched at a time."""
        share = STORED_BYTES // len(self.columns)
        return min(max(share, LEAST_STORED_BYTES), MOST_STORED_BYTES)


@dataclass(frozen=True, slots=True)
class Piece:
    """Consecutive row groups of one file.

    Attributes
    ----------
    path : str
    first : int
        The first row group.
    rows : tuple of int
        The rows of each.
    """

    path: str
    first: int
    rows: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ParquetSegment:
    """Consecutive row groups; a footer is read again with each piece, so that the segment is small.

    Attributes
    ----------
    pieces : tuple of Piece
    query : Query
    """

    pieces: tuple[Piece, ...]
    query: Query

    @property
    def dependencies(self) -> tuple[()]:
        """None: the segment reads the files itself."""
        return ()

    def stream(self, dependencies: Sequence[Any] = (), retries: int = 0) -> Iterator[NDArray[Any]]:
        """Read and yield block after block; a row group is one or more, one if it is empty.

        Raises
        ------
        SourceError
            If a read fails, `retries` times over; it names file, row group and columns.
        DataError
            If a file is not what it was when it was opened.
        """
        for piece in self.pieces:
            yield from retried_stream(partial(read_piece, piece, self.query), retries)


def read_piece(piece: Piece, query: Query) -> Iterator[NDArray[Any]]:
    """Open the file and yield the blocks of its row groups."""
    return read_groups(piece, query, lambda group, batch: block_of(batch, query))


def read_groups(piece: Piece, query: Query, make: Callable[[int, Any], Made]) -> Iterator[Made]:
    """Open the file and yield what `make` makes of the number of a row group and each batch of it.

    Raises
    ------
    SourceError
        If a read fails; it names file, row group and columns.
    DataError
        If a file is not what it was when it was opened.
    """
    where = f"{shown(piece.path)} was opened"
    try:
        with opened(piece.path, query.options, query.buffer_size) as file:
            _check_unchanged(file.metadata, piece)
            for group, rows in enumerate(piece.rows, piece.first):
                where = f"row group {group} of {shown(piece.path)} was read"
                batches = _batches(file, group, query) if rows else _no_rows(file, query)
                for batch in batches:
                    yield make(group, batch)
    except (DataError, MemoryError):
        raise
    except Exception as error:
        raise SourceError(
            f"{described(error, query.options)}, while {where}, columns "
            f"{listed(map(repr, query.columns))}. If the store could not be reached, run again; if "
            "the file is damaged, write it again."
        ) from harmless(error, query.options)


def block_of(batch: Any, query: Query) -> NDArray[Any]:
    """Return a batch of Arrow as rows; nulls become NaN.

    The columns lie one after another in memory, as in Arrow and in a tile.
    """
    block = _empty(batch.num_rows, query)
    for index, name in enumerate(query.names):
        fill(block if query.weights else block[:, index], batch.column(name), name)
    return block


def _batches(file: Any, group: int, query: Query) -> Iterator[Any]:
    # Tasks are what runs in parallel: threads of Arrow would come on top of theirs.
    found: Iterator[Any] = file.iter_batches(
        query.block_rows, row_groups=[group], columns=list(query.columns), use_threads=False
    )
    return found


def _no_rows(file: Any, query: Query) -> Iterator[Any]:
    arrow = require("pyarrow")
    fields = [file.schema_arrow.field(name) for name in query.columns]
    yield arrow.RecordBatch.from_pylist([], arrow.schema(fields))


def _empty(rows: int, query: Query) -> NDArray[Any]:
    if query.weights:
        return np.empty(rows, query.dtype)
    return np.empty((len(query.names), rows), query.dtype).T


def _check_unchanged(metadata: Any, piece: Piece) -> None:
    stop = piece.first + len(piece.rows)
    groups = range(piece.first, min(stop, metadata.num_row_groups))
    if tuple(metadata.row_group(i).num_rows for i in groups) != piece.rows:
        raise DataError(
            f"{shown(piece.path)} has changed since it was opened: its row groups have other "
            "lengths. Open it again, and write to it no more while it is read."
        )
