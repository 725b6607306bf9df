"""Consecutive row groups of Parquet files, which tasks read in blocks of bounded size."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar, TypeVar

import numpy as np
from numpy.typing import NDArray

from daskgmm.errors import DataError, SourceError
from daskgmm.rows.checks.naming import listed
from daskgmm.rows.parquet.ahead_file import Coming, held_parts
from daskgmm.rows.parquet.files import opened_version
from daskgmm.rows.parquet.version import Version
from daskgmm.rows.retries import retried_stream
from daskgmm.rows.tables.arrow_columns import fill, fill_lists
from daskgmm.rows.tables.features import FeatureColumn
from daskgmm.rows.tables.requiring import require
from daskgmm.storage.address import Address

Made = TypeVar("Made")

Make = Callable[[int, NDArray[Any], Any], Made]
"""A function of the index of a row group, the features of a batch, and the batch of Arrow."""

BLOCK_BYTES = 1 << 20
"""Decoded bytes of one block: memory does not depend on the size of row groups."""

STORED_BYTES = 16 << 20
LEAST_STORED_BYTES = 64 << 10
MOST_STORED_BYTES = 1 << 20
"""Stored bytes that are fetched at a time, of all columns and of one. Whole column chunks, the
default of pyarrow, took 200 MiB for 20 columns of 8 MB, these 45 to 60 MiB in less than half the
time. In a store each fetch waits for an answer."""

CARRIED_BYTES = 32
"""Assumed bytes of a value of a key column, which may be a text."""


@dataclass(frozen=True, slots=True)
class Query:
    """The columns that are read from each file, and the type of blocks.

    Attributes
    ----------
    features : tuple of FeatureColumn
        The columns of the features, in their order.
    dtype : numpy.dtype
        Type of the blocks.
    weights : bool
        Whether blocks are one column with one axis.
    carried : tuple of str
        Key columns, which are read as well and are no features.
    ahead : int
        `Rows.ahead`.
    """

    features: tuple[FeatureColumn, ...]
    dtype: np.dtype[Any]
    weights: bool = False
    carried: tuple[str, ...] = ()
    ahead: int = 0

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns that are read, without repetition."""
        names = (column.name for column in self.features)
        return tuple(dict.fromkeys((*names, *self.carried)))

    @property
    def n_features(self) -> int:
        """The number of features."""
        return sum(column.width for column in self.features)

    @property
    def row_nbytes(self) -> int:
        """Decoded bytes of a row."""
        return self.n_features * self.dtype.itemsize + len(self.carried) * CARRIED_BYTES

    @property
    def block_rows(self) -> int:
        """Most rows of a block."""
        return max(1, BLOCK_BYTES // self.row_nbytes)

    @property
    def buffer_size(self) -> int:
        """Stored bytes of a column that are fetched at a time."""
        share = STORED_BYTES // len(self.columns)
        return min(max(share, LEAST_STORED_BYTES), MOST_STORED_BYTES)

    @property
    def fetched_nbytes(self) -> int:
        """Stored bytes of a column that are held: by Arrow, and those that came ahead."""
        parts = 1 + (held_parts(self.buffer_size) if self.ahead else 0)
        return parts * self.buffer_size


@dataclass(frozen=True, slots=True)
class Piece:
    """Consecutive row groups of one file.

    Attributes
    ----------
    address : Address
    first : int
        The first row group.
    rows : tuple of int
        Number of rows of each row group.
    version : Version
        Version of the file when its footer was read.
    constants : mapping of pyarrow.Scalar
        The value in all rows of columns that are not in the file.
    """

    address: Address
    first: int
    rows: tuple[int, ...]
    version: Version
    constants: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ParquetSegment:
    """Consecutive row groups; it is small, as each piece reads the footer of its file again."""

    pieces: tuple[Piece, ...]
    query: Query

    dependencies: ClassVar[tuple[()]] = ()

    def stream(self, dependencies: Sequence[Any] = (), retries: int = 0) -> Iterator[NDArray[Any]]:
        """Read and yield block after block; a row group is one or more, one if it is empty."""
        for piece in self.pieces:
            yield from retried_stream(partial(read_piece, piece, self.query), retries)


def read_piece(piece: Piece, query: Query) -> Iterator[NDArray[Any]]:
    """Open the file and yield the blocks of its row groups."""
    return read_groups(piece, query, lambda group, block, batch: block)


def read_groups(piece: Piece, query: Query, make: Make[Made]) -> Iterator[Made]:
    """Open the file and yield the result of `make` for each batch."""
    address, columns = piece.address, listed(map(repr, query.columns))
    groups = range(piece.first, piece.first + len(piece.rows))
    coming = Coming(groups, query.columns, query.ahead) if query.ahead else None
    advice = "If the store could not be reached, run again; if the file is damaged, write it again."
    with (
        address.explain(SourceError, f"{address} cannot be opened", advice),
        opened_version(address, query.buffer_size, coming) as (file, details),
    ):
        _check_unchanged(file.metadata, details, piece)
        for group in groups:
            what = f"Row group {group} of {address}, columns {columns}, cannot be read"
            with address.explain(SourceError, what, advice):
                yield from _read_group(file, group, piece, query, make)


def _read_group(
    file: Any, group: int, piece: Piece, query: Query, make: Make[Made]
) -> Iterator[Made]:
    """Yield the result of `make` for each batch of a row group."""
    stored = [name for name in query.columns if name not in piece.constants]
    rows = piece.rows[group - piece.first]
    first = row = sum(file.metadata.row_group(i).num_rows for i in range(group))
    for read in _batches(file, group, stored, query) if rows else _no_rows(file, stored):
        batch = _with_constants(read, piece, query)
        yield make(group, block_of(batch, query, partial(row_of_file, piece.address, row)), batch)
        row += batch.num_rows
    if row - first != rows:
        raise DataError(
            f"Row group {group} of {piece.address} holds {row - first} rows, and the footer says "
            f"{rows}. The file is damaged: write it again."
        )


def block_of(batch: Any, query: Query, place: Callable[[int], str]) -> NDArray[Any]:
    """Return a batch of Arrow as rows; nulls become NaN.

    The columns lie one after another in memory, as in Arrow and in a tile.
    """
    block, start = _empty(batch.num_rows, query), 0
    for column in query.features:
        values = batch.column(column.name)
        if column.length is None:
            fill(block if query.weights else block[:, start], values, column.name)
        else:
            stop = start + column.length
            fill_lists(block[:, start:stop], values, column.name, place)
        start += column.width
    return block


def row_of_file(address: Address, first: int, row: int) -> str:
    """Describe the place of the row that is `row` rows after another one."""
    return f"row {first + row} of {address}"


def _batches(file: Any, group: int, columns: list[str], query: Query) -> Iterator[Any]:
    # Tasks run in parallel: threads of Arrow would come on top of theirs.
    batches: Iterator[Any] = file.iter_batches(
        query.block_rows, row_groups=[group], columns=columns, use_threads=False
    )
    return batches


def _no_rows(file: Any, columns: list[str]) -> Iterator[Any]:
    arrow = require("pyarrow")
    fields = [file.schema_arrow.field(name) for name in columns]
    yield arrow.RecordBatch.from_pylist([], arrow.schema(fields))


def _with_constants(batch: Any, piece: Piece, query: Query) -> Any:
    for name in piece.constants.keys() & set(query.columns):
        values = require("pyarrow").repeat(piece.constants[name], batch.num_rows)
        batch = batch.append_column(name, values)
    return batch


def _empty(rows: int, query: Query) -> NDArray[Any]:
    if query.weights:
        return np.empty(rows, query.dtype)
    return np.empty((query.n_features, rows), query.dtype).T


def _check_unchanged(metadata: Any, details: Mapping[str, str], piece: Piece) -> None:
    stop = piece.first + len(piece.rows)
    groups = range(piece.first, min(stop, metadata.num_row_groups))
    rows = tuple(metadata.row_group(group).num_rows for group in groups)
    same = piece.version.is_of(metadata, details, local=piece.address.path is not None)
    if rows != piece.rows or not same:
        raise DataError(
            f"{piece.address} has changed since it was opened: it was written again. Open it "
            "again, and write to it no more while it is read."
        )
