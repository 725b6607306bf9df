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
from daskgmm.rows.frames import is_dask_frame, is_polars_frame
from daskgmm.rows.opening import as_rows
from daskgmm.rows.rows import Rows
from daskgmm.rows.weights import split_weights


def is_source(x: Any) -> bool:
    """Return whether rows are to be read from x in chunks: all but what is in memory."""
    if isinstance(x, (list, tuple)):
        return len(x) > 0 and all(
            is_source(part) or (isinstance(part, np.ndarray) and part.ndim == 2) for part in x
        )
    kinds = (str, os.PathLike, Rows, zarr.Array, zarr.Group, dask.array.Array, np.memmap)
    return isinstance(x, kinds) or is_dask_frame(x)


def training_rows(estimator: BaseEstimator, x: Any) -> Rows:
    """Return X as rows to fit on; sets `n_features_in_` and `feature_names_in_`.

    Raises
    ------
    ValueError, TypeError
        If X is not a matrix of real numbers with at least two rows and one column.
    """
    _refuse_masked(x)
    if not is_source(x) and not is_polars_frame(x):
        x = validate_data(
            estimator, x, dtype="numeric", ensure_all_finite=False, ensure_min_samples=2
        )
        return _named(estimator, ArrayRows(x))
    rows = as_rows(x)
    if rows.n_rows is not None and rows.n_rows < 2:
        raise DataError(
            f"Found array with {rows.n_rows} sample(s) (shape=({rows.n_rows}, {rows.n_features})) "
            f"while a minimum of 2 is required by {type(estimator).__name__}."
        )
    _keep_features(estimator, rows)
    return rows


def training_data(estimator: BaseEstimator, x: Any, sample_weight: Any) -> tuple[Rows, Rows | None]:
    """Return X and its weights as rows; a column of X that is the weights is no feature.

    As `training_rows` otherwise.
    """
    rows = training_rows(estimator, x)
    if sample_weight is None:
        return rows, None
    left, weights = split_weights(rows, sample_weight)
    if left is not rows:
        _keep_features(estimator, left)
    return left, weights


def _keep_features(estimator: BaseEstimator, rows: Rows) -> None:
    estimator.n_features_in_ = rows.n_features
    if rows.columns is not None:
        estimator.feature_names_in_ = np.asarray(rows.columns, dtype=object)
    elif hasattr(estimator, "feature_names_in_"):
        del estimator.feature_names_in_


def scoring_rows(estimator: BaseEstimator, x: Any) -> Rows:
    """Return X as rows to score or label; refuses another number of features.

    Columns that have names are taken by those of the fit, in whatever order X has them.
    """
    _refuse_masked(x)
    if not is_source(x) and not is_polars_frame(x):
        x = validate_data(estimator, x, reset=False, dtype="numeric", ensure_all_finite=False)
        rows: Rows = _named(estimator, ArrayRows(x))
    else:
        rows = as_rows(x, feature_names(estimator))
    check_features(estimator, rows.n_features)
    return rows


def _named(estimator: BaseEstimator, rows: Rows) -> Rows:
    """Give rows the names of the columns that scikit-learn found, for errors."""
    rows.columns = feature_names(estimator)
    return rows


def feature_names(estimator: BaseEstimator) -> tuple[str, ...] | None:
    """Return the names of the columns that the estimator was fitted on, if they had any."""
    names = getattr(estimator, "feature_names_in_", None)
    return None if names is None else tuple(map(str, names))


def check_features(estimator: BaseEstimator, n_features: int) -> None:
    """Raise `DataError` unless the estimator was fitted on that many features."""
    expected = estimator.means_.shape[1]
    if n_features != expected:
        raise DataError(
            f"X has {n_features} features, but {type(estimator).__name__} is expecting "
            f"{expected} features as input."
        )


def _refuse_masked(x: Any) -> None:
    if isinstance(x, np.ma.MaskedArray):
        raise DataError(
            "X is a masked array, and masked values have no place in a mixture: fill them with "
            "X.filled(value), or drop their rows."
        )
