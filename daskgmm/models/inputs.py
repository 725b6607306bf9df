"""From whatever the user gives to rows, and the checks that need no pass."""

from __future__ import annotations

import os
from typing import Any

import dask.array
import numpy as np
import zarr
from sklearn.base import BaseEstimator
from sklearn.utils.validation import validate_data

from daskgmm.errors import DataError
from daskgmm.rows.arrays import ArrayRows
from daskgmm.rows.opening import as_rows
from daskgmm.rows.rows import Rows
from daskgmm.storage_options import StorageOptions


def is_source(x: Any) -> bool:
    """Return whether rows are to be read from x in chunks: all but what is in memory."""
    if isinstance(x, (list, tuple)):
        return len(x) > 0 and all(
            is_source(part) or (isinstance(part, np.ndarray) and part.ndim == 2) for part in x
        )
    return isinstance(x, (str, os.PathLike, zarr.Array, zarr.Group, dask.array.Array, np.memmap))


def training_rows(
    estimator: BaseEstimator, x: Any, storage_options: StorageOptions | None = None
) -> Rows:
    """Return X as rows to fit on; sets `n_features_in_` and `feature_names_in_`.

    Raises
    ------
    ValueError, TypeError
        If X is not a matrix of real numbers with at least two rows and one column.
    """
    _refuse_frames(x)
    if not is_source(x):
        x = validate_data(
            estimator, x, dtype="numeric", ensure_all_finite=False, ensure_min_samples=2
        )
        return _named(estimator, ArrayRows(x))
    rows = as_rows(x, storage_options)
    if rows.n_rows is not None and rows.n_rows < 2:
        raise DataError(
            f"Found array with {rows.n_rows} sample(s) (shape=({rows.n_rows}, {rows.n_features})) "
            f"while a minimum of 2 is required by {type(estimator).__name__}."
        )
    estimator.n_features_in_ = rows.n_features
    if hasattr(estimator, "feature_names_in_"):
        del estimator.feature_names_in_
    return rows


def scoring_rows(estimator: BaseEstimator, x: Any) -> Rows:
    """Return X as rows to score or label; refuses another number of features."""
    _refuse_frames(x)
    if not is_source(x):
        x = validate_data(estimator, x, reset=False, dtype="numeric", ensure_all_finite=False)
        rows: Rows = _named(estimator, ArrayRows(x))
    else:
        rows = as_rows(x)
    check_features(estimator, rows.n_features)
    return rows


def _named(estimator: BaseEstimator, rows: Rows) -> Rows:
    """Give rows the names of the columns that scikit-learn found, for errors."""
    names = getattr(estimator, "feature_names_in_", None)
    rows.columns = None if names is None else tuple(map(str, names))
    return rows


def check_features(estimator: BaseEstimator, n_features: int) -> None:
    """Raise `DataError` unless the estimator was fitted on that many features."""
    expected = estimator.means_.shape[1]
    if n_features != expected:
        raise DataError(
            f"X has {n_features} features, but {type(estimator).__name__} is expecting "
            f"{expected} features as input."
        )


def _refuse_frames(x: Any) -> None:
    if isinstance(x, np.ma.MaskedArray):
        raise DataError(
            "X is a masked array, and masked values have no place in a mixture: fill them with "
            "X.filled(value), or drop their rows."
        )
    if hasattr(x, "to_dask_array"):
        raise TypeError(
            "Dask data frames are not read yet. Pass X.to_dask_array(lengths=True), with the "
            "numeric columns selected."
        )
