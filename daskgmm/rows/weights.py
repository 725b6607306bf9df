"""Weights of rows, cut chunk by chunk as the rows are."""

from __future__ import annotations

import os
from typing import Any

import dask.array
import numpy as np
import zarr

from daskgmm.errors import DataError, SourceError
from daskgmm.rows.arrays import ArrayRows
from daskgmm.rows.concatenated import ConcatenatedRows
from daskgmm.rows.dask_array import DaskRows
from daskgmm.rows.frames import is_dask_frame, series_array
from daskgmm.rows.hdf5 import HDF5Rows, check_readable, is_hdf5
from daskgmm.rows.layout import check_weights
from daskgmm.rows.naming import listed
from daskgmm.rows.opening import open_rows
from daskgmm.rows.plain import checked, plain, unmasked
from daskgmm.rows.rows import UNKNOWN, Rows
from daskgmm.rows.undecoded import warn_of_undecoded
from daskgmm.rows.variables import decoded_weight, is_labelled
from daskgmm.rows.zarr_array import ZarrRows
from daskgmm.storage_options import StorageOptions


def weights_for(
    rows: Rows, sample_weight: Any, storage_options: StorageOptions | None = None
) -> Rows:
    """Return the weights of `rows` as blocks of one axis with the same `lengths`.

    Values are not looked at here: NaN and negative weights show when they are read.

    Parameters
    ----------
    rows : Rows
    sample_weight : array-like, zarr.Array, dask.array.Array, h5py.Dataset, series, path or list
        Of shape (n,). A string is a column of `rows` if there is one of that name, else the
        path or URL of an array.
        A list of arrays goes with rows that were given as a list, element by element.
        Dask weights of unknown length must be chunked like the rows.
    storage_options : mapping, optional
        For URLs, as in `daskgmm.open_data`.

    Raises
    ------
    DataError
        If the weights are not real numbers on one axis, or there are not as many as rows.
    """
    if isinstance(sample_weight, str) and sample_weight in rows.all_columns:
        return rows.column(sample_weight)
    if isinstance(sample_weight, (str, os.PathLike)):
        sample_weight = _opened(rows, sample_weight, storage_options)
    if isinstance(sample_weight, Rows):
        return _column_of(sample_weight, rows)
    if is_labelled(sample_weight) and not hasattr(sample_weight, "data_vars"):
        check_weights(sample_weight.shape, sample_weight.dtype, rows.n_rows)
        sample_weight = decoded_weight(sample_weight).data
    if is_dask_frame(sample_weight):
        sample_weight = series_array(sample_weight)
    if isinstance(sample_weight, (list, tuple)) and (
        any(map(_is_array, sample_weight))
        or (isinstance(rows, ConcatenatedRows) and all(map(_is_path, sample_weight)))
    ):
        return _part_by_part(rows, sample_weight, storage_options)
    if isinstance(sample_weight, dask.array.Array):
        return _dask_weights(rows, sample_weight)
    if not isinstance(sample_weight, zarr.Array) and not is_hdf5(sample_weight):
        sample_weight = plain(checked(sample_weight, "sample_weight"), "sample_weight")
    if is_hdf5(sample_weight):
        check_readable(sample_weight)
    check_weights(sample_weight.shape, sample_weight.dtype, rows.n_rows)
    _check_known(rows, sample_weight)
    if isinstance(sample_weight, zarr.Array):
        return ZarrRows(sample_weight, rows.lengths)
    if is_hdf5(sample_weight):
        return HDF5Rows(sample_weight, rows.lengths)
    return ArrayRows(sample_weight, rows.lengths)


def split_weights(
    rows: Rows, sample_weight: Any, storage_options: StorageOptions | None = None
) -> tuple[Rows, Rows]:
    """Return the rows and their weights; a column that is the weights is no feature.

    Parameters and errors are those of `weights_for`.
    """
    weights = weights_for(rows, sample_weight, storage_options)
    if isinstance(sample_weight, str) and sample_weight in rows.all_columns:
        return rows.without(sample_weight), weights
    return rows, weights


def _opened(
    rows: Rows, path: str | os.PathLike[str], storage_options: StorageOptions | None
) -> Any:
    try:
        return open_rows(path, storage_options)
    except SourceError as error:
        if not rows.all_columns:
            raise
        raise SourceError(
            f"sample_weight is {os.fspath(path)!r}, which is no column of X (those are "
            f"{listed(map(repr, rows.all_columns))}), and no path of weights: {error}"
        ) from error


def _column_of(table: Rows, rows: Rows) -> Rows:
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


def _is_array(value: Any) -> bool:
    """Tell an element that is an array from one that is a number."""
    return np.ndim(value) > 0 if not hasattr(value, "ndim") else value.ndim > 0


def _is_path(value: Any) -> bool:
    return isinstance(value, (str, os.PathLike))


def _part_by_part(
    rows: Rows,
    sample_weight: list[Any] | tuple[Any, ...],
    storage_options: StorageOptions | None,
) -> Rows:
    parts = rows.parts if isinstance(rows, ConcatenatedRows) else ()
    if len(parts) != len(sample_weight):
        given = f"a list of {len(parts)}" if parts else "a single array"
        raise DataError(
            f"sample_weight is a list of {len(sample_weight)} arrays, but X is {given}; give one "
            "array of weights for each element of X, or one array for all rows."
        )
    return ConcatenatedRows(
        [
            weights_for(part, weight, storage_options)
            for part, weight in zip(parts, sample_weight, strict=True)
        ]
    )


def _dask_weights(rows: Rows, weights: Any) -> Rows:
    """Rechunk dask weights as the rows, where lengths are known, else pair the blocks."""
    check_weights(weights.shape, weights.dtype, rows.n_rows)
    unmasked(weights._meta, "sample_weight")
    warn_of_undecoded(weights, "sample_weight")
    known = weights.shape[0] == weights.shape[0]
    if rows.n_rows is not None and known:
        _check_count(weights.shape, rows.n_rows)
        if list(weights.chunks[0]) != rows.lengths.tolist():
            weights = weights.rechunk((tuple(rows.lengths.tolist()),), method="tasks")
    elif len(weights.chunks[0]) != len(rows.lengths):
        raise DataError(
            f"sample_weight has {len(weights.chunks[0])} chunks and X has {len(rows.lengths)}, of "
            "lengths that are not all known, so they cannot be matched; chunk both alike, or find "
            "the lengths with compute_chunk_sizes()."
        )
    return DaskRows(weights, rows.lengths)


def _check_known(rows: Rows, weights: Any) -> None:
    if rows.n_rows is None:
        unknown = int((rows.lengths == UNKNOWN).sum())
        raise DataError(
            f"{unknown} of the {len(rows.lengths)} chunks of X have an unknown length, so "
            "sample_weight cannot be matched to them; find the lengths with "
            "X.compute_chunk_sizes(), or give a dask array chunked like X."
        )
    _check_count(weights.shape, rows.n_rows)


def _check_count(shape: tuple[int, ...], expected: int) -> None:
    if shape[0] != expected:
        raise DataError(
            f"sample_weight.shape == ({shape[0]},), expected ({expected},)! Give one weight for "
            "each row of X."
        )
