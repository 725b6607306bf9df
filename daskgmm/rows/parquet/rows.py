"""Rows of Parquet files: columns by name, row groups as chunks."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

import numpy as np

from daskgmm.errors import DataError
from daskgmm.readers import remedy
from daskgmm.rows.ahead import configured_ahead
from daskgmm.rows.checks.naming import COLUMNS
from daskgmm.rows.grid import check_chunks
from daskgmm.rows.long_integers import is_long
from daskgmm.rows.parquet.features import feature_columns
from daskgmm.rows.parquet.files import answers_late, in_memory
from daskgmm.rows.parquet.finding import find_files
from daskgmm.rows.parquet.footers import Footer, column_types, read_footers, shared_features
from daskgmm.rows.parquet.segment import ParquetSegment, Piece, Query
from daskgmm.rows.rows import Rows
from daskgmm.storage.address import Address, Paths
from daskgmm.storage.masking import StorageOptions

PAGE_BYTES = 2 << 20
"""Decoded bytes of a column while it is read: a page and a dictionary, which writers make 1 MiB
large each."""

LIST_COPIES = 2
LIST_BYTES = 16
"""Peak memory of a number in a list while it is read: two more copies, and bytes for levels, small
integers in the larger type of Parquet, and buffers that double. Measured for numbers of 1, 2, 4 and
8 bytes: 17, 6, 4 and 3 times their bytes on top of those of plain columns."""


class ParquetRows(Rows):
    """Rows of Parquet files, one file after another.

    Chunks are row groups; they are read in blocks of about 1 MiB. Nulls are read as NaN, and
    integers and booleans that may have some as float64. A column of lists of numbers, all of one
    length, is as many features as a list has numbers.

    Parameters
    ----------
    footers : sequence of Footer
        Footers of the files, in order.
    columns : sequence of str
        The columns that are the features, in this order.
    weights : bool
        Whether these are weights: one column, as blocks with one axis.

    Attributes
    ----------
    footers : tuple of Footer
    query : Query
        The columns that are read from each file.
    """

    def __init__(
        self, footers: Sequence[Footer], columns: Sequence[str], *, weights: bool = False
    ) -> None:
        features = feature_columns(footers, columns)
        if not features:
            raise DataError(f"No columns of {footers[0].address} are left; choose at least one.")
        names = [column.name for column in features]
        how = remedy("daskgmm.open_parquet(path, [{numbers}])", COLUMNS)
        types = column_types(footers, names, how)
        self.dtype = np.result_type(*types.values())
        self.long_integers = tuple(
            any(is_long(footer.columns[column.name].kind) for footer in footers)
            for column in features
            for _ in column.features
        )
        self.lengths = np.array([m for footer in footers for m in footer.rows], dtype=np.int64)
        self.in_process = in_memory(footers[0].address)
        self.ahead = configured_ahead() if answers_late(footers[0].address) else 0
        query = Query(features, self.dtype, weights, ahead=self.ahead)
        self.footers, self.query = tuple(footers), query
        self.n_features = self.query.n_features
        self.columns = None if weights else tuple(n for column in features for n in column.features)
        self._starts = np.cumsum([0, *(len(footer.rows) for footer in footers)]).tolist()
        self.block_rows = self.query.block_rows
        self.read_copies = self._read_copies()

    @property
    def all_columns(self) -> tuple[str, ...]:
        """Every column of the first file, those that are no features too."""
        return tuple(self.footers[0].columns)

    def select(self, names: Sequence[str]) -> ParquetRows:
        """Return the rows with these columns as features; others are not read.

        A column of lists is named itself, or all its elements as they are in `columns`.
        """
        return ParquetRows(self.footers, names)

    def column(self, name: str) -> ParquetRows:
        """Return one column as weights."""
        if self.footers[0].columns[name].values is not None:
            raise DataError(
                f"Column {name!r} of {self.footers[0].address} holds lists, and a weight is "
                "one number for each row; choose another column."
            )
        return ParquetRows(self.footers, (name,), weights=True)

    def segment(self, first: int, stop: int) -> ParquetSegment:
        """Return the row groups `first` to `stop` (exclusive), unread."""
        check_chunks(first, stop, len(self.lengths))
        return ParquetSegment(tuple(self.pieces(first, stop)), self.query)

    def pieces(self, first: int, stop: int) -> Iterator[Piece]:
        """Yield the row groups `first` to `stop` (exclusive) by file."""
        file = int(np.searchsorted(self._starts, first, side="right")) - 1
        while first < stop:
            start, end = self._starts[file], min(stop, self._starts[file + 1])
            if first < end:
                footer = self.footers[file]
                rows = footer.rows[first - start : end - start]
                yield Piece(footer.address, first - start, rows, footer.version, footer.constants)
            first, file = max(first, end), file + 1

    def _read_copies(self) -> float:
        """Return the peak memory of a block: its batch, a copy, and pages of each column."""
        group = int(self.lengths.max(initial=0)) * self.row_nbytes
        block = min(group, self.query.block_rows * self.row_nbytes)
        pages = len(self.query.columns) * (PAGE_BYTES + self.query.fetched_nbytes)
        listed = sum(column.width for column in self.query.features if column.length is not None)
        of_lists = listed / self.n_features * (LIST_COPIES + LIST_BYTES / self.dtype.itemsize)
        return 3.0 + min((3 if self.ahead else 2) * group, pages) / max(1, block) + of_lists


def open_parquet(
    path: Paths, columns: Sequence[str] | None = None, storage_options: StorageOptions | None = None
) -> ParquetRows:
    """Open Parquet files as rows; their footers are read, and nothing else.

    Parameters
    ----------
    path : str, os.PathLike, or a list of these
        A file, a directory, or a glob; a local path or a URL that fsspec understands. In a Delta
        Lake table only the live files of its log are taken.
    columns : sequence of str, optional
        The columns that are the features, in this order. By default all in the files, which
        must be numbers then, but for the index of a data frame. Directories such as
        ``year=2024``, and what partitions a Delta Lake table, are columns if asked for. A column
        of lists of numbers, as of embeddings, is the features ``emb[0]``, ``emb[1]`` and so on.
    storage_options : dict, optional
        Options of fsspec for the files, such as credentials.

    Returns
    -------
    ParquetRows
        Rows that take the place of an array, as in
        ``GaussianMixture(3).fit(open_parquet(path, ["a", "b"]))``.

    Raises
    ------
    SourceError
        If there are no such files, one cannot be read, pyarrow is missing, or deltalake for a
        Delta Lake table; or if files are of a table whose log is not read: of Apache Iceberg,
        Hudi or Paimon, or the output of a Spark stream.
    DataError
        If files differ in these columns, a column holds no numbers, or lists differ in length.

    Examples
    --------
    >>> import pandas as pd
    >>> from daskgmm import open_parquet
    >>> pd.DataFrame({"a": [1.0, 2.0], "name": ["x", "y"]}).to_parquet("table.parquet")
    >>> open_parquet("table.parquet", ["a"])
    ParquetRows(2 rows, float64, columns: a)
    """
    if isinstance(columns, str):
        raise TypeError(f"columns is the string {columns!r}; give a list: columns=[{columns!r}].")
    footers = read_footers(find_files(Address.all_of(path, storage_options)))
    columns = shared_features(footers) if columns is None else columns
    rows = ParquetRows(footers, columns)
    rows.source = os.fspath(path) if isinstance(path, (str, os.PathLike)) else None
    return rows
