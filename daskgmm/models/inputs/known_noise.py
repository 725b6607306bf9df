"""Noise of known variance beside rows: where it comes from, and what goes with it."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any

from sklearn.base import BaseEstimator

from daskgmm.errors import DataError, SettingError
from daskgmm.gaussian.covariance.low_rank.families import FAMILIES
from daskgmm.models.inputs.rows import keep_features, labelled_rows
from daskgmm.names import MARGINALISE
from daskgmm.rows.checks.naming import check_among
from daskgmm.rows.companions.noise import (
    NAME,
    ConstantRows,
    check_number,
    column_names,
    columns_as_noise,
    constant_of,
    grid_noise,
    nameless,
    noise_for,
)
from daskgmm.rows.labelled.arrays import Labelled, labelled
from daskgmm.rows.rows import Rows
from daskgmm.rows.source import Source
from daskgmm.rows.sources import source_of


def check_known_noise(mixture: Any) -> None:
    """Raise `SettingError` for a mixture that cannot be fitted to rows with known noise."""
    because = _needs_exact_rows(mixture)
    if because is not None:
        raise SettingError(
            f"{NAME} does not go with these settings: {because}. Leave one of them out."
        )


def check_known_noise_of_sweep(structures: Sequence[str]) -> None:
    """Raise `SettingError` for a sweep of structures that cannot be fitted to such rows."""
    if any(structure.partition("-")[0] in FAMILIES for structure in structures):
        raise SettingError(
            f"{NAME} does not go with covariance types whose noise is estimated. Leave out "
            f"{' and '.join(FAMILIES)}, or the noise."
        )


def _needs_exact_rows(mixture: Any) -> str | None:
    """Return why a mixture cannot take rows with known noise, or None if it can."""
    if mixture.missing == MARGINALISE:
        return "missing='marginalise' groups rows by their gaps, and each has a noise of its own"
    if mixture.pca is not None or mixture.standardise:
        return "standardise and pca map rows, and the noise is in the columns as they are"
    if mixture.covariance_type in FAMILIES:
        return f"covariance_type={mixture.covariance_type!r} has a noise that is estimated"
    if getattr(mixture, "noise", False):
        return "noise=True is uniform over the rows as they are"
    if getattr(mixture, "tails", None) is not None:
        return f"tails={mixture.tails!r} are not Gaussians, which the noise would widen"
    if hasattr(mixture, "weight_concentration_prior_type"):
        return "the bound of a Bayesian mixture is one for exact rows"
    return None


def apart(source: Source, given: Any) -> tuple[Source, Any]:
    """Return a source of X without the variables that are its noise, and these.

    Other noise, and that of columns of tables, is returned as it is given.
    """
    if isinstance(given, str) and given in _known_names(source):
        given = [given]
    names = column_names(given)
    if names is None or not source.labelled:
        return source, given
    if not hasattr(source.x, "data_vars"):
        raise DataError(f"{NAME} names variables, and X is a DataArray. Give another one as noise.")
    check_among(names, tuple(map(str, source.x.data_vars)), "X")
    left = source_of(source.x.drop_vars(list(names)), source.options)
    return left, source.x[list(names)]


def _known_names(source: Source) -> tuple[str, ...]:
    """Return the names of columns or variables that a single name may be one of."""
    if source.labelled:
        return tuple(map(str, getattr(source.x, "data_vars", ())))
    if source.validated or source.names:
        return source.names
    return source.checked_rows().all_columns


def training_noise(
    estimator: BaseEstimator, source: Source, rows: Rows, given: Any
) -> tuple[Rows, Rows]:
    """Return rows to fit on without the columns that are their noise, and these.

    `source` and `given` are those of `apart`.
    """
    left, noise = planned_noise(source, rows, given, getattr(estimator, "feature_dims_", None))
    if left is not rows:
        keep_features(estimator, left)
    return left, noise


def planned_noise(
    source: Source, rows: Rows, given: Any, feature_dims: Sequence[Hashable] | None
) -> tuple[Rows, Rows]:
    """Return the same as `training_noise`, before there is an estimator that knows the features."""
    if source.labelled:
        names = rows.columns
        return rows, _noise_on_grid(lambda: labelled(source.x, feature_dims, names), rows, given)
    return _beside_table(source, rows, given)


def _beside_table(source: Source, rows: Rows, given: Any) -> tuple[Rows, Rows]:
    names = column_names(given)
    if names is None:
        return rows, noise_for(rows, given, source)
    if not rows.all_columns:
        raise nameless(names)
    check_among(names, rows.all_columns, "X")
    left = rows
    for name in names:
        left = left.without(name)
    check_number(names, left.n_features)
    return left, rows.select(names)


def _noise_on_grid(grid: Callable[[], Labelled], rows: Rows, given: Any) -> Rows:
    constant = constant_of(given, rows.n_features, rows.n_rows)
    if constant is not None:
        return ConstantRows(constant, rows)
    if hasattr(given, "dims"):
        return grid_noise(grid(), given)
    raise DataError(
        f"{NAME} has no named dimensions, and X has. Give variables of X by their names, or "
        "labelled arrays: xarray.Dataset({'temp': ...})."
    )


def scoring_noise(estimator: BaseEstimator, source: Source, rows: Rows, given: Any) -> Rows:
    """Return the noise of rows to score; `source` and `given` are those of `apart`."""
    if source.labelled:
        return _noise_on_grid(lambda: labelled_rows(estimator, source.x), rows, given)
    names = column_names(given)
    if names is not None:
        return columns_as_noise(source, names, rows)
    return noise_for(rows, given, source)
