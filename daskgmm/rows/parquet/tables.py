"""Rows of Parquet files with keys: both from one read."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, ClassVar

from numpy.typing import NDArray

from daskgmm.rows.checks.naming import check_among
from daskgmm.rows.grid import check_chunks
from daskgmm.rows.parquet.files import opened_version
from daskgmm.rows.parquet.finding import find_files
from daskgmm.rows.parquet.footers import Footer, check_stored_alike, read_footers, shared_features
from daskgmm.rows.parquet.rows import ParquetRows
from daskgmm.rows.parquet.segment import Piece, Query, read_groups
from daskgmm.rows.retries import retried_stream
from daskgmm.rows.tables.keyed import KeyedRows, KeyedSegment, Table, keys_of_type
from daskgmm.rows.tables.requiring import require
from daskgmm.storage.address import Address


@dataclass(frozen=True, slots=True)
class KeyedPieces(KeyedSegment):
    """Consecutive row groups that are read with their keys.

    Attributes
    ----------
    first : int
        The number of the first chunk.
    pieces : tuple of Piece
    query : Query
    schema : pyarrow.Schema
    """

    first: int
    pieces: tuple[Piece, ...]
    query: Query
    schema: Any

    dependencies: ClassVar[tuple[()]] = ()

    def keyed(self, dependencies: Sequence[Any] = (), retries: int = 0) -> Iterator[KeyedRows]:
        """Read and yield block after block; a row group is one or more, one if it is empty."""
        chunk = self.first
        for piece in self.pieces:
            make = partial(self._keyed, piece, chunk - piece.first)
            yield from retried_stream(partial(read_groups, piece, self.query, make), retries)
            chunk += len(piece.rows)

    def _keyed(
        self, piece: Piece, offset: int, group: int, block: NDArray[Any], batch: Any
    ) -> KeyedRows:
        keys = require("pyarrow").Table.from_batches([batch.select(self.schema.names)])
        return KeyedRows(offset + group, block, keys_of_type(keys, self.schema, str(piece.address)))


class ParquetTable(Table):
    """Rows of Parquet files with some of their columns as keys.

    Parameters
    ----------
    rows : ParquetRows
    keys : tuple of str, or None
        None for the index of a data frame, if it is stored with it.
    """

    rows: ParquetRows
    whole = True

    def __init__(self, rows: ParquetRows, keys: tuple[str, ...] | None) -> None:
        self.rows = rows
        self.features = tuple(column.name for column in rows.query.features)
        if keys is None:
            keys = tuple(name for name in rows.all_columns if name in rows.footers[0].index)
        for footer in rows.footers:
            check_among(keys, tuple(footer.columns), str(footer.address))
        check_stored_alike(rows.footers, keys)
        self.schema = _schema(rows.footers[0], keys)
        self.mark = "\n".join(
            f"{footer.address.url} {footer.version.stamp}" for footer in rows.footers
        )
        self._query = replace(rows.query, carried=keys)

    def segment(self, first: int, stop: int) -> KeyedPieces:
        """Return the row groups `first` to `stop` (exclusive), unread."""
        check_chunks(first, stop, len(self.rows.lengths))
        return KeyedPieces(first, tuple(self.rows.pieces(first, stop)), self._query, self.schema)


def parquet_table(
    addresses: Sequence[Address], columns: Sequence[str] | None, keys: tuple[str, ...] | None
) -> ParquetTable:
    """Return Parquet files as a table; the features are by default all columns but the keys."""
    footers = read_footers(find_files(addresses))
    if columns is None:
        columns = [name for name in shared_features(footers) if name not in (keys or ())]
    return ParquetTable(ParquetRows(footers, columns), keys)


def _schema(footer: Footer, keys: tuple[str, ...]) -> Any:
    """Return the schema of the keys, with what it says about an index of pandas."""
    with opened_version(footer.address) as (file, _):
        stored = file.schema_arrow
    arrow, constants = require("pyarrow"), footer.constants
    schema = arrow.schema(
        [
            arrow.field(name, constants[name].type) if name in constants else stored.field(name)
            for name in keys
        ]
    )
    index = [name for name in keys if name in footer.index]
    if not index:
        return schema
    about = {
        **stored.pandas_metadata,
        "index_columns": index,
        "columns": [
            column
            for column in stored.pandas_metadata["columns"]
            if column.get("field_name", column["name"]) in keys
        ],
    }
    return schema.with_metadata({"pandas": json.dumps(about)})
