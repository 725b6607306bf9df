"""Match of weights to rows: the same number, cut at the same rows."""

from __future__ import annotations

from typing import Any

import numpy as np

from daskgmm.companions import WEIGHTS, entries_of, entry_of
from daskgmm.counting import counted
from daskgmm.errors import DataError
from daskgmm.readers import remedy
from daskgmm.rows.arrays import ArrayRows
from daskgmm.rows.checks.layout import check_weights
from daskgmm.rows.compositions.mapped import MappedRows
from daskgmm.rows.rows import UNKNOWN, Rows

FIND_LENGTHS = (
    "find the lengths, of a dask array with compute_chunk_sizes(), of a data frame or series of "
    "Dask with to_dask_array(lengths=True)"
)
"""Advice on finding the lengths of chunks."""


def check_matched(rows: Rows, weights: Any, name: str = WEIGHTS) -> None:
    """Raise `DataError` unless an array holds a weight for each of rows of known number."""
    check_weights(weights.shape, weights.dtype, rows.n_rows, name)
    if rows.n_rows is None:
        unknown = int((rows.lengths == UNKNOWN).sum())
        raise DataError(
            f"X has {counted(unknown, 'chunk')} of unknown length, of {len(rows.lengths)} in all, "
            f"so {name} cannot be matched to them. Make it a column of the data frame, "
            f"and give its name; give {entries_of(name)} of Dask that are chunked like X; or "
            f"{FIND_LENGTHS}."
        )
    check_count(weights.shape, rows.n_rows, name)


def check_count(shape: tuple[int, ...], expected: int, name: str = WEIGHTS) -> None:
    """Raise `DataError` unless there are as many weights as expected rows."""
    if shape[0] != expected:
        raise DataError(
            f"{name}.shape == ({shape[0]},), expected ({expected},)! Give one {entry_of(name)} for "
            "each row of X."
        )


WITH_COLUMNS = ", as with open_parquet(path, columns=['n'])"


def column_of(table: Rows, rows: Rows, name: str = WEIGHTS) -> Rows:
    """Return the only column of a table as weights of rows.

    A table in memory is cut like the rows; any other has to have their chunks already.
    """
    if table.n_features != 1:
        raise DataError(
            f"{name} has {counted(table.n_features, 'column')}, and one is needed. Choose "
            f"it{remedy(WITH_COLUMNS, ', or write it alone')}."
        )
    if not table.reads:
        blocks = _flat(table).segment(0, len(table.lengths)).stream()
        values = np.concatenate([np.empty(0, table.dtype), *blocks])
        check_matched(rows, values, name)
        found = ArrayRows(values, rows.lengths)
        found.content = table.content
        return found
    if table.lengths.tolist() != rows.lengths.tolist():
        raise DataError(
            f"{name} is cut into {counted(len(table.lengths), 'row group')} and X into "
            f"{counted(len(rows.lengths), 'chunk')}, at other rows. Give an array of "
            f"{entries_of(name)}, or store them as a column beside the features, and give its name."
        )
    return _flat(table) if table.columns is None else table.column(table.columns[0])


def _flat(column: Rows) -> MappedRows:
    found = MappedRows(column, np.ravel)
    found.content = column.content
    return found
