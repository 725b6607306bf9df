"""From whatever the user gives to rows, and the checks that need no pass."""

from __future__ import annotations

import os
from collections.abc import Hashable, Sequence
from typing import Any

import dask.array
import numpy as np
import zarr
from sklearn.base import BaseEstimator
from sklearn.utils.validation import validate_data

from daskgmm.errors import DataError
from daskgmm.rows.arrays import ArrayRows
from daskgmm.rows.frames import (
    check_columns,
    is_dask_frame,
    is_pandas_frame,
    is_polars_frame,
    refuse_lists,
)
from daskgmm.rows.hdf5 import is_hdf5
from daskgmm.rows.labelled import Labelled, labelled
from daskgmm.rows.opening import as_rows
from daskgmm.rows.plain import checked
from daskgmm.rows.rows import Rows
from daskgmm.rows.unfit import check_plain
from daskgmm.rows.variables import is_labelled, listed
from daskgmm.rows.weights import split_weights, weights_for
from daskgmm.storage_options import StorageOptions

LABELS = ("feature_names_in_", "feature_dims_", "feature_units_")
"""Fitted attributes that only labelled data set."""


def is_source(x: Any) -> bool:
    """Return whether rows are to be read from x in chunks: all but what is in memory."""
    if isinstance(x, (list, tuple)):
        return len(x) > 0 and all(
            is_source(part) or (isinstance(part, np.ndarray) and part.ndim == 2) for part in x
        )
    kinds = (str, os.PathLike, Rows, zarr.Array, zarr.Group, dask.array.Array, np.memmap)
    return isinstance(x, kinds) or is_dask_frame(x) or is_hdf5(x)


def training_rows(
    estimator: BaseEstimator,
    x: Any,
    sample_weight: Any = None,
    feature_dims: Sequence[Hashable] | None = None,
    storage_options: StorageOptions | None = None,
) -> tuple[Rows, Rows | None]:
    """Return X and the weights as rows to fit on; sets `n_features_in_` and what is known of them.

    That is `feature_names_in_`, and of labelled arrays `feature_dims_` and `feature_units_`.

    Raises
    ------
    ValueError, TypeError
        If X is not a matrix of real numbers with at least two rows and one column.
    """
    for name in LABELS:
        estimator.__dict__.pop(name, None)
    if is_labelled(x):
        return _labelled_training(estimator, x, sample_weight, feature_dims, storage_options)
    if feature_dims is not None:
        raise DataError("feature_dims is for xarray's arrays; X has no named dimensions.")
    rows = _training_rows(estimator, x, storage_options)
    if sample_weight is None:
        return rows, None
    left, weights = split_weights(rows, sample_weight, storage_options)
    if left is not rows:
        # A column of X that is the weights is no feature.
        _keep_features(estimator, left)
    return left, weights


def labelled_data(
    x: Any,
    sample_weight: Any,
    feature_dims: Sequence[Hashable] | None,
    storage_options: StorageOptions | None,
) -> tuple[Labelled, Rows, Rows | None]:
    """Return labelled arrays as a grid, its rows, and their weights.

    Weights may be labelled as well, or the name of a variable, which is no feature then.
    """
    x, sample_weight = _without_weights(x, sample_weight)
    grid = labelled(x, feature_dims)
    rows = grid.rows()
    return grid, rows, _weights_of_grid(grid, rows, sample_weight, storage_options)


def _without_weights(x: Any, sample_weight: Any) -> tuple[Any, Any]:
    """Return labelled arrays and their weights, the latter no variable of the former."""
    if not isinstance(sample_weight, str) or not hasattr(x, "data_vars"):
        return x, sample_weight
    if sample_weight not in x.data_vars:
        raise DataError(
            f"sample_weight is {sample_weight!r}, and X has no variable of that name; it has "
            f"{listed(x.data_vars)}."
        )
    return x.drop_vars(sample_weight), x[sample_weight]


def _weights_of_grid(
    grid: Labelled, rows: Rows, sample_weight: Any, storage_options: StorageOptions | None
) -> Rows | None:
    if sample_weight is None:
        return None
    if is_labelled(sample_weight):
        return grid.weights(sample_weight)
    if len(grid.dims) > 1:
        raise DataError(
            f"sample_weight is no DataArray, and X lies on a grid of {len(grid.dims)} dimensions, "
            "whose points come block by block. Give weights names for their dimensions: "
            "xarray.DataArray(sample_weight, dims=...)."
        )
    return weights_for(rows, sample_weight, storage_options)


def _labelled_training(
    estimator: BaseEstimator,
    x: Any,
    sample_weight: Any,
    feature_dims: Sequence[Hashable] | None,
    storage_options: StorageOptions | None,
) -> tuple[Rows, Rows | None]:
    grid, rows, weights = labelled_data(x, sample_weight, feature_dims, storage_options)
    _check_two_rows(estimator, rows)
    _keep_features(estimator, rows)
    estimator.feature_dims_ = grid.feature_dims
    if any(unit is not None for unit in grid.units):
        estimator.feature_units_ = grid.units
    return rows, weights


def labelled_rows(estimator: BaseEstimator, x: Any) -> Labelled:
    """Return labelled arrays as a grid of rows to score or label, features matched by name.

    Raises
    ------
    DataError
        If X is a DataArray and the mixture was fitted to what has no named dimensions.
    """
    features = getattr(estimator, "feature_dims_", None)
    if features is None and not hasattr(x, "data_vars"):
        raise DataError(
            f"X is a DataArray with the dimensions {listed(x.dims)}, and the mixture does not know "
            "which of them hold features, for it was fitted without named dimensions. Say so once: "
            "mixture.feature_dims_ = ('band',), or () if each value is a row by itself."
        )
    grid = labelled(x, features, feature_names(estimator))
    check_features(estimator, len(grid.names))
    return grid


def _training_rows(
    estimator: BaseEstimator, x: Any, storage_options: StorageOptions | None
) -> Rows:
    check_plain(x)
    if not is_source(x) and not is_polars_frame(x):
        x = _checked(x)
        x = validate_data(
            estimator, x, dtype="numeric", ensure_all_finite=False, ensure_min_samples=2
        )
        return _named(estimator, ArrayRows(x))
    rows = as_rows(x, storage_options)
    _check_two_rows(estimator, rows)
    _keep_features(estimator, rows)
    return rows


def _check_two_rows(estimator: BaseEstimator, rows: Rows) -> None:
    if rows.n_rows is not None and rows.n_rows < 2:
        raise DataError(
            f"Found array with {rows.n_rows} sample(s) (shape=({rows.n_rows}, {rows.n_features})) "
            f"while a minimum of 2 is required by {type(estimator).__name__}."
        )


def _keep_features(estimator: BaseEstimator, rows: Rows) -> None:
    estimator.n_features_in_ = rows.n_features
    if rows.columns is not None:
        estimator.feature_names_in_ = np.asarray(rows.columns, dtype=object)


def scoring_rows(
    estimator: BaseEstimator, x: Any, storage_options: StorageOptions | None = None
) -> Rows:
    """Return X as rows to score or label; refuses another number of features.

    Columns that have names are taken by those of the fit, in whatever order X has them; but
    scikit-learn wants an error for a frame of pandas that has the same ones in another order.
    """
    check_plain(x)
    if is_labelled(x):
        return labelled_rows(estimator, x).rows()
    if not is_source(x) and not is_polars_frame(x):
        x = _checked(_without_others(x, feature_names(estimator)))
        x = validate_data(estimator, x, reset=False, dtype="numeric", ensure_all_finite=False)
        rows: Rows = _named(estimator, ArrayRows(x))
    else:
        rows = as_rows(x, storage_options, columns=feature_names(estimator))
    check_features(estimator, rows.n_features)
    return rows


def scoring_data(estimator: BaseEstimator, x: Any, sample_weight: Any) -> tuple[Rows, Rows | None]:
    """Return X as rows to score, as `scoring_rows` does, and their weights, as `fit` takes them."""
    if sample_weight is None:
        return scoring_rows(estimator, x), None
    if is_labelled(x):
        x, sample_weight = _without_weights(x, sample_weight)
        grid = labelled_rows(estimator, x)
        rows = grid.rows()
        return rows, _weights_of_grid(grid, rows, sample_weight, None)
    if isinstance(sample_weight, str):
        found = _with_a_column(estimator, x, sample_weight)
        if found is not None:
            return found
    rows = scoring_rows(estimator, x)
    return rows, weights_for(rows, sample_weight)


def _with_a_column(estimator: BaseEstimator, x: Any, name: str) -> tuple[Rows, Rows] | None:
    """Return rows and the column of X that is their weights; None if it has none of that name."""
    features = feature_names(estimator)
    if is_pandas_frame(x):
        if name not in x.columns:
            return None
        left = x if features is not None and name in features else x.drop(columns=name)
        rows = scoring_rows(estimator, left)
        return rows, weights_for(rows, x[name].to_numpy())
    if not is_source(x) and not is_polars_frame(x):
        return None
    if features is None:
        rows, weights = split_weights(as_rows(x), name)
    elif name in _columns(x):
        both = as_rows(x, columns=features if name in features else (*features, name))
        rows, weights = both.select(features), both.column(name)
    else:
        return None
    check_features(estimator, rows.n_features)
    return rows, weights


def _columns(x: Any) -> tuple[str, ...]:
    """Return the names of the columns of a frame, or of the first of a list; else nothing."""
    first = x[0] if isinstance(x, (list, tuple)) and x else x
    if isinstance(first, Rows):
        return first.all_columns
    frame = is_dask_frame(first) or is_polars_frame(first)
    return tuple(map(str, first.columns)) if frame else ()


def _without_others(x: Any, names: tuple[str, ...] | None) -> Any:
    """Return a frame of pandas without columns that are no features, such as weights."""
    if names is None or not is_pandas_frame(x) or len(x.columns) <= len(names):
        return x
    return x[list(names)] if x.columns.is_unique and set(names) <= set(x.columns) else x


def check_enough_columns(pca: int | float | None, columns: int) -> None:
    """Raise `ValueError` if there are fewer columns than principal axes asked for."""
    if pca is not None and not isinstance(pca, float) and pca > columns:
        raise ValueError(f"pca={pca} (--pca) asks for more axes than X has columns, {columns}.")


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
    coordinates = getattr(estimator, "coordinates_", None)
    expected = estimator.means_.shape[1] if coordinates is None else coordinates.n_columns
    if n_features != expected:
        raise DataError(
            f"X has {n_features} features, but {type(estimator).__name__} is expecting "
            f"{expected} features as input."
        )


def _checked(x: Any) -> Any:
    """Return what may become an array; raise `DataError` for what would lose its meaning."""
    x = checked(x, "X")
    refuse_lists(x)
    check_columns(x)
    return x
