"""From whatever the user gives to rows, and the checks that need no pass."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import validate_data

from daskgmm.companions import ALONE, Companions, entries_of
from daskgmm.errors import DataError
from daskgmm.readers import remedy
from daskgmm.rows.arrays import ArrayRows
from daskgmm.rows.checks.naming import names_within
from daskgmm.rows.checks.refusals import check_plain, kind_of
from daskgmm.rows.checks.whereabouts import naming
from daskgmm.rows.companions.weights import split_companions, weights_for
from daskgmm.rows.labelled.arrays import Labelled, labelled
from daskgmm.rows.labelled.variables import listed
from daskgmm.rows.long_integers import is_long, long_objects
from daskgmm.rows.rows import Rows
from daskgmm.rows.source import Source
from daskgmm.rows.sources import source_of

LABELS = ("feature_names_in_", "feature_dims_", "feature_units_")
"""Fitted attributes that only labelled data set."""


def training_rows(
    estimator: BaseEstimator,
    source: Source,
    given: Companions[Any] = ALONE,
    feature_dims: Sequence[Hashable] | None = None,
) -> tuple[Rows, Companions[Rows]]:
    """Return X, and what goes beside it, as rows to fit on; sets `n_features_in_` and the like.

    That is `feature_names_in_`, and of labelled arrays `feature_dims_` and `feature_units_`.
    """
    for name in LABELS:
        estimator.__dict__.pop(name, None)
    if source.labelled:
        return _labelled_training(estimator, source, given, feature_dims)
    if feature_dims is not None:
        raise DataError("feature_dims is for xarray's arrays; X has no named dimensions.")
    with naming(source.path):
        rows = _training_rows(estimator, source)
    left, found = split_companions(rows, given, source)
    if left is not rows:
        # A column of X that is the weights is no feature.
        keep_features(estimator, left)
    return left, found


def labelled_data(
    source: Source, given: Companions[Any], feature_dims: Sequence[Hashable] | None
) -> tuple[Labelled, Rows, Companions[Rows]]:
    """Return labelled arrays as a grid, its rows, and what goes beside them.

    That may be labelled as well, or the name of a variable, which is no feature then.
    """
    source, beside = _without(source, given)
    grid = labelled(source.x, feature_dims)
    rows = grid.rows()
    return grid, rows, _beside_grid(grid, rows, beside)


def _without(
    source: Source, given: Companions[Any], features: Sequence[str] | None = None
) -> tuple[Source, Companions[Source]]:
    """Return labelled arrays, or a table in memory, and what goes beside, no part of the former.

    A column of a table that is a feature stays in it.
    """
    left = source

    def split(name: str, part: Any) -> Source:
        nonlocal left
        found = left.split(part, features, name) if isinstance(part, str) else None
        left, own = found or (left, source_of(part, source.options))
        return own

    beside = given.map_named(split)
    return left, beside


def _beside_grid(grid: Labelled, rows: Rows, beside: Companions[Source]) -> Companions[Rows]:
    def on_grid(name: str, part: Source) -> Rows:
        if part.labelled:
            return grid.weights(part.x, name)
        if len(grid.dims) > 1:
            raise DataError(
                f"{name} is not a DataArray, and X lies on a grid of {len(grid.dims)} dimensions, "
                f"whose points come block by block. Give {entries_of(name)} names for their "
                f"dimensions: xarray.DataArray({name}, dims=...)."
            )
        return part.weights(rows, name)

    return beside.map_named(on_grid)


def _labelled_training(
    estimator: BaseEstimator,
    source: Source,
    given: Companions[Any],
    feature_dims: Sequence[Hashable] | None,
) -> tuple[Rows, Companions[Rows]]:
    grid, rows, beside = labelled_data(source, given, feature_dims)
    _check_two_rows(estimator, rows)
    keep_features(estimator, rows)
    estimator.feature_dims_ = grid.feature_dims
    if any(unit is not None for unit in grid.units):
        estimator.feature_units_ = grid.units
    return rows, beside


def labelled_rows(estimator: BaseEstimator, x: Any) -> Labelled:
    """Return labelled arrays as a grid of rows to score or label, features matched by name."""
    features = getattr(estimator, "feature_dims_", None)
    if features is None and not hasattr(x, "data_vars"):
        raise DataError(
            f"X is a DataArray with the dimensions {listed(x.dims)}, and the mixture does not know "
            "which of them hold features, for it was fitted without named dimensions. Say so"
            + remedy(
                " once: mixture.feature_dims_ = ('band',), or () if each value is a row by itself.",
                " (--features).",
            )
        )
    grid = labelled(x, features, feature_names(estimator))
    check_features(estimator, len(grid.names))
    return grid


def _training_rows(estimator: BaseEstimator, source: Source) -> Rows:
    check_plain(source.x)
    if source.validated:
        return _validated(estimator, source, ensure_min_samples=2)
    rows = source.checked_rows()
    _check_two_rows(estimator, rows)
    keep_features(estimator, rows)
    return rows


def _check_two_rows(estimator: BaseEstimator, rows: Rows) -> None:
    if rows.n_rows is not None and rows.n_rows < 2:
        raise DataError(
            f"Found array with {rows.n_rows} sample(s) (shape=({rows.n_rows}, {rows.n_features})) "
            f"while a minimum of 2 is required by {type(estimator).__name__}."
        )


def keep_features(estimator: BaseEstimator, rows: Rows) -> None:
    """Set the attributes of the features of an estimator: their number, and their names."""
    estimator.n_features_in_ = rows.n_features
    if rows.columns is not None:
        estimator.feature_names_in_ = np.asarray(rows.columns, dtype=object)


def rows_to_score(estimator: BaseEstimator, source: Source) -> Rows:
    """Return the rows of a source to score or label; refuse another number of features.

    Columns that have names are taken by those of the fit, in whatever order X has them; but
    scikit-learn wants an error for a frame of pandas that has the same ones in another order.
    """
    check_plain(source.x)
    if source.labelled:
        return labelled_rows(estimator, source.x).rows()
    names = feature_names(estimator)
    if source.validated:
        rows = _validated(estimator, source.keeping(names), reset=False)
    else:
        rows = source.checked_rows(names)
    with naming(source.path):
        check_features(estimator, rows.n_features)
    return rows


def rows_or_grid(estimator: BaseEstimator, source: Source) -> Rows | Labelled:
    """Return the rows of a source to label; of labelled arrays the grid that they are on."""
    if source.labelled:
        return labelled_rows(estimator, source.x)
    return rows_to_score(estimator, source)


def scoring_data(estimator: BaseEstimator, x: Any, sample_weight: Any) -> tuple[Rows, Rows | None]:
    """Return X as rows to score and their weights, as `fit` takes them."""
    rows, beside = scoring_rows(estimator, source_of(x), Companions(sample_weight))
    return rows, beside.weights


def scoring_rows(
    estimator: BaseEstimator, source: Source, given: Companions[Any]
) -> tuple[Rows, Companions[Rows]]:
    """Return X as rows to score, and what goes beside them, as `fit` takes it."""
    if not any(True for _ in given):
        return rows_to_score(estimator, source), Companions()
    features = feature_names(estimator)
    if source.labelled:
        source, of_grid = _without(source, given)
        grid = labelled_rows(estimator, source.x)
        rows = grid.rows()
        return rows, _beside_grid(grid, rows, of_grid)
    if source.validated:
        left, parts = _without(source, given, features)
        rows = rows_to_score(estimator, left)
        return rows, parts.map_named(lambda name, part: part.weights(rows, name))
    if features is None:
        rows, found = split_companions(source.checked_rows(), given, source)
        with naming(source.path):
            check_features(estimator, rows.n_features)
        return rows, found
    asked = [part for part in given if isinstance(part, str) and part in source.names]
    if not asked:
        rows = rows_to_score(estimator, source)
        return rows, split_companions(rows, given, source)[1]
    both = source.checked_rows((*features, *(name for name in asked if name not in features)))
    rows = both.select(features)
    check_features(estimator, rows.n_features)
    return rows, given.map_named(lambda name, part: weights_for(both, part, source, name))


def check_enough_columns(pca: int | float | None, columns: int) -> None:
    """Raise `DataError` if there are fewer columns than principal axes asked for."""
    if pca is not None and not isinstance(pca, float) and pca > columns:
        raise DataError(f"pca={pca} (--pca) asks for more axes than X has columns, {columns}.")


def _validated(estimator: BaseEstimator, source: Source, **settings: Any) -> Rows:
    """Return what scikit-learn makes an array of as rows with the names of the columns."""
    values = source.values()
    check_names_are_seen(source.x)
    x = validate_data(estimator, values, dtype="numeric", ensure_all_finite=False, **settings)
    rows = ArrayRows(x, columns=feature_names(estimator))
    objects = long_objects(values, x)
    types: Any = getattr(values, "dtypes", None)
    if hasattr(types, "keys"):
        # A frame of pandas becomes an array of one type.
        long = tuple(map(is_long, types))
        rows.long_integers = tuple(map(any, zip(long, objects or long, strict=True)))
    elif objects is not None:
        rows.long_integers = objects
    return rows


def check_names_are_seen(x: Any) -> None:
    """Raise `DataError` if columns of x have names that scikit-learn does not see."""
    names = names_within(x)
    if names is None:
        return
    seen = BaseEstimator()
    validate_data(seen, x, skip_check_array=True)
    if not hasattr(seen, "feature_names_in_"):
        such = f", such as {names[0]!r}," if names else ""
        raise DataError(
            f"X is a {kind_of(x)}, and the names of its columns{such} would be lost. Make it a "
            "data frame of pandas or Polars, or a table of Arrow: pandas.DataFrame(X) of a "
            "structured array (numpy.lib.recfunctions.structured_to_unstructured(X) if names do "
            "not matter), pyarrow.table(X) of a stream of Arrow."
        )


def feature_names(estimator: BaseEstimator) -> tuple[str, ...] | None:
    """Return the names of the columns that the estimator was fitted on, if they had any."""
    names = getattr(estimator, "feature_names_in_", None)
    return None if names is None else tuple(map(str, names))


def names_of_axes(mixture: Any) -> tuple[str, ...]:
    """Return the names of the features of a mixture; those of its axes if these are principal."""
    coordinates = getattr(mixture, "coordinates_", None)
    along_axes = coordinates is not None and coordinates.axes is not None
    names = None if along_axes else feature_names(mixture)
    return tuple(mixture._axis_names()) if names is None else names


def expected_features(estimator: Any) -> int:
    """Return the number of columns of X that the estimator was fitted on."""
    coordinates = getattr(estimator, "coordinates_", None)
    return int(estimator.means_.shape[1] if coordinates is None else coordinates.n_columns)


def check_features(estimator: BaseEstimator, n_features: int) -> None:
    """Raise `DataError` unless the estimator was fitted on that many features."""
    expected = expected_features(estimator)
    if n_features != expected:
        raise DataError(
            f"X has {n_features} features, but {type(estimator).__name__} is expecting "
            f"{expected} features as input."
        )
