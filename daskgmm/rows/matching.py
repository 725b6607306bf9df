"""Weights are matched to rows: as many of them, cut at the same rows."""

from __future__ import annotations

from typing import Any

from daskgmm.errors import DataError
from daskgmm.rows.layout import check_weights
from daskgmm.rows.rows import UNKNOWN, Rows


def check_matched(rows: Rows, weights: Any) -> None:
    """Raise `DataError` unless an array holds a weight for each of rows of known number."""
    check_weights(weights.shape, weights.dtype, rows.n_rows)
    if rows.n_rows is None:
        unknown = int((rows.lengths == UNKNOWN).sum())
        raise DataError(
            f"{unknown} of the {len(rows.lengths)} chunks of X have an unknown length, so "
            "sample_weight cannot be matched to them; find the lengths with "
            "X.compute_chunk_sizes(), or give a dask array chunked like X."
        )
    check_count(weights.shape, rows.n_rows)


def check_count(shape: tuple[int, ...], expected: int) -> None:
    """Raise `DataError` unless there are as many weights as rows are expected."""
    if shape[0] != expected:
        raise DataError(
            f"sample_weight.shape == ({shape[0]},), expected ({expected},)! Give one weight for "
            "each row of X."
        )


def column_of(table: Rows, rows: Rows) -> Rows:
    """Return the only column of a table as weights of rows that are cut like it."""
    if table.columns is None or len(table.columns) != 1:
        raise DataError(
            f"sample_weight has {table.n_features} columns, and one is needed. Choose it, as with "
            "open_parquet(path, columns=['n'])."
        )
    if table.lengths.tolist() != rows.lengths.tolist():
        raise DataError(
            f"sample_weight is cut into {len(table.lengths)} row groups and X into "
            f"{len(rows.lengths)} chunks, at other rows. Give an array of weights, or store them "
            "as a column beside the features, and give its name."
        )
    return table.column(table.columns[0])
