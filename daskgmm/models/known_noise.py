"""Noise of known variance beside rows: where it comes from, and what goes with it."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any

import dask.array as da
import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator

from daskgmm.companions import ALONE, Companions
from daskgmm.em.known_noise import check_noise
from daskgmm.errors import DataError, SettingError
from daskgmm.gaussian.covariance.families import FAMILIES
from daskgmm.gaussian.deconvolution.shared import widened
from daskgmm.models.inputs import (
    feature_names,
    keep_features,
    labelled_rows,
    rows_to_score,
    scoring_data,
)
from daskgmm.models.predictions.forms import InAnyForm
from daskgmm.models.predictions.in_memory import predict_rows
from daskgmm.models.predictions.lazy import predict_lazily
from daskgmm.models.predictions.noisy import NoisyPredictor
from daskgmm.models.predictions.prediction import Predictor, Scored, score_rows
from daskgmm.names import MARGINALISE
from daskgmm.rows.arrays import ArrayRows
from daskgmm.rows.labelled.arrays import Labelled, labelled
from daskgmm.rows.matching import FIND_LENGTHS
from daskgmm.rows.naming import check_among
from daskgmm.rows.noise import (
    NAME,
    ConstantRows,
    check_number,
    check_shape,
    column_names,
    columns_as_noise,
    constant_of,
    grid_noise,
    is_stored,
    noise_for,
)
from daskgmm.rows.plain import plain, unmasked
from daskgmm.rows.rows import Rows
from daskgmm.rows.source import Source
from daskgmm.rows.sources import source_of


def check_known_noise(mixture: Any, beside: Companions[Rows] = ALONE) -> None:
    """Raise `SettingError` for a mixture that cannot be fitted to rows with known noise."""
    because = _needs_exact_rows(mixture)
    if beside.labels is not None:
        because = "labels bar components from rows whose values are exact"
    if because is not None:
        raise SettingError(
            f"{NAME} does not go with these settings: {because}. Leave one of them out."
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
        return f"tails={mixture.tails!r} are no Gaussians, which the noise would widen"
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
    return source.names if source.validated else source.checked_rows().all_columns


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
        raise DataError(
            f"X has no column {names[0]!r}, as its columns have no names. Give {NAME} as one "
            "array, or as the path of one."
        )
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
        return columns_as_noise(source, names, rows.n_features)
    return noise_for(rows, given, source)


def predict_with_noise(mixture: Any, predictor: Predictor, name: str, x: Any, given: Any) -> Any:
    """Return an output of the predictions for rows with known noise, in the form of `x`."""
    check_known_noise(mixture)
    source, given = apart(source_of(x), given)
    constant = _shared(predictor, given, _number_of(source.x))
    if constant is None:
        return predict_noisy(mixture, predictor, name, source, given)
    of = InAnyForm(mixture, widened_by(predictor, constant), (name,))
    return source.predictions(of)[0]


def score_with_noise(
    mixture: Any,
    predictor: Predictor,
    x: Any,
    sample_weight: Any,
    given: Any,
    *,
    disorder: bool = False,
) -> tuple[Scored, bool]:
    """Return the sums over rows with known noise, or without, and whether they have weights."""
    if given is None:
        rows, weights = scoring_data(mixture, x, sample_weight)
        return score_rows(predictor, rows, weights, disorder=disorder), weights is not None
    check_known_noise(mixture)
    source, given = apart(source_of(x), given)
    rows, weights = scoring_data(mixture, source.x, sample_weight)
    constant = _shared(predictor, given, rows.n_rows)
    if constant is not None:
        predictor, noise = widened_by(predictor, constant), None
    else:
        noise = scoring_noise(mixture, source, rows, given)
        predictor = noisy_predictor(predictor, noise.n_features)
    scored = score_rows(predictor, rows, weights, noise, disorder=disorder)
    return scored, weights is not None


def _number_of(x: Any) -> int | None:
    """Return the number of rows of an object, if it tells."""
    if isinstance(x, (list, tuple)):
        return len(x)
    shape: tuple[Any, ...] = getattr(x, "shape", ())  # that of a grid says nothing of its points
    return shape[0] if len(shape) == 2 and isinstance(shape[0], int) else None


def _shared(predictor: Predictor, given: Any, rows: int | None) -> NDArray[np.float64] | None:
    """Return noise that all rows share, checked; None if each has its own."""
    d = predictor.parameters.n_features
    found = constant_of(given, d, rows)
    if found is not None:
        check_noise(found[None], None, d, lambda _: "all rows", predictor.columns)
    return found


def widened_by(predictor: Predictor, noise: NDArray[np.float64]) -> Predictor:
    """Return what looks at rows that all have the same noise."""
    if not noise.any():
        return predictor
    wide = widened(predictor.parameters, noise)
    return Predictor(wide, predictor.columns, predictor.transform, predictor.clusters)


def noisy_predictor(predictor: Predictor, width: int) -> NoisyPredictor:
    """Return what looks at rows with the numbers of their noise behind their features."""
    return NoisyPredictor(
        predictor.parameters, predictor.columns, predictor.transform, predictor.clusters, width
    )


def predict_noisy(mixture: Any, predictor: Predictor, name: str, source: Source, given: Any) -> Any:
    """Return an output for rows that each have their noise, as an array of NumPy or Dask.

    Raises
    ------
    DataError
        For labelled arrays and data frames of Dask, whose predictions take noise that all rows
        share alone.
    """
    if source.labelled:
        raise DataError(
            f"Predictions on a grid take {NAME} that all points share alone. Score with it, or "
            "give arrays of the shape (n, d) of X and of the noise."
        )
    names, features = column_names(given), feature_names(mixture)
    lazy = None if source.validated else source.lazy(features)
    if lazy is None:
        rows = rows_to_score(mixture, source)
        noise = scoring_noise(mixture, source, rows, given)
        wide = np.concatenate([_values(rows), _values(noise)], axis=1)
        found = predict_rows(noisy_predictor(predictor, noise.n_features), (name,), ArrayRows(wide))
        return np.ascontiguousarray(found)
    if np.isnan(lazy.chunks[0]).any():
        raise DataError(
            f"X has chunks of unknown length, so {NAME} cannot be put beside them; {FIND_LENGTHS}."
        )
    n, d = lazy.shape
    if names is not None:
        check_number(names, d)
        beside = source.lazy(names)
    else:
        beside = _lazy(given, source)
        check_shape(beside.shape, d, n)
    if beside.ndim == 1:
        beside = beside[:, None]
    if beside.ndim == 3:
        beside = beside.rechunk({1: -1, 2: -1}).reshape(beside.shape[0], d * d)
    wide = da.concatenate([lazy, beside], axis=1).rechunk({0: lazy.chunks[0], 1: -1})
    return predict_lazily(noisy_predictor(predictor, beside.shape[1]), (name,), wide)


def _lazy(given: Any, beside: Source) -> Any:
    """Return noise of rows as an array of Dask."""
    if isinstance(given, da.Array):
        unmasked(given._meta, NAME)
        return given
    if not is_stored(given):
        return da.from_array(plain(given, NAME))
    source = source_of(given, beside.options)
    lazy = source.lazy()
    return da.from_array(plain(source.open(), NAME)) if lazy is None else lazy


def _values(rows: Rows) -> NDArray[Any]:
    blocks = list(rows.segment(0, len(rows.lengths)).stream())
    return np.concatenate([np.empty((0, rows.n_features), rows.dtype), *blocks])
