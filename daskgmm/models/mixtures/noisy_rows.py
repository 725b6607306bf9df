"""Rows with known noise in any form, as fitted mixtures look at them: behind the features."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import dask.array as da
import numpy as np
from numpy.typing import NDArray

from daskgmm.companions import Companions
from daskgmm.em.survey.known_noise import check_noise
from daskgmm.errors import DataError
from daskgmm.gaussian.deconvolution.shared import widened
from daskgmm.models.inputs.known_noise import apart, check_known_noise, scoring_noise
from daskgmm.models.inputs.rows import (
    check_features,
    feature_names,
    labelled_rows,
    rows_or_grid,
    rows_to_score,
    scoring_rows,
)
from daskgmm.models.predictions.forms.frame_predictions import predict_frame
from daskgmm.models.predictions.forms.in_any_form import InAnyForm
from daskgmm.models.predictions.forms.in_memory import Names, predict_rows
from daskgmm.models.predictions.forms.in_memory import apart as outputs_apart
from daskgmm.models.predictions.forms.labels import predict_labelled
from daskgmm.models.predictions.forms.lazy import predict_lazily
from daskgmm.models.predictions.noisy import NoisyPredictor
from daskgmm.models.predictions.prediction import Predictor
from daskgmm.models.predictions.scoring import Scored, score_rows
from daskgmm.models.writers.cutting import CHUNK_ROWS
from daskgmm.rows.checks.plain import plain, unmasked
from daskgmm.rows.companions.noise import (
    NAME,
    check_number,
    check_order,
    check_shape,
    column_names,
    constant_of,
    is_by_part,
    is_stored,
    nameless,
    noise_for,
    wide_grid,
)
from daskgmm.rows.companions.of_columns import named_by
from daskgmm.rows.compositions.wide import WideRows, WideTable
from daskgmm.rows.labelled.arrays import Labelled
from daskgmm.rows.matching import FIND_LENGTHS
from daskgmm.rows.rows import Rows
from daskgmm.rows.source import Source
from daskgmm.rows.sources import source_of
from daskgmm.rows.tables.keyed import Table


def predict_with_noise(mixture: Any, predictor: Predictor, names: Names, x: Any, given: Any) -> Any:
    """Return outputs of the predictions for rows with known noise, in the form of `x`."""
    check_known_noise(mixture)
    source, given = apart(source_of(x), given)
    constant = _shared(predictor, given, _number_of(source.x))
    if constant is None:
        with named_by(Companions(noise=given)):
            return source.predicted(NoisyInAnyForm(mixture, predictor, names, given))
    return source.predicted(InAnyForm(mixture, widened_by(predictor, constant), names))


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
    beside: Companions[Any] = Companions(sample_weight)
    rows, found, predictor = rows_beside(mixture, predictor, source_of(x), beside, given)
    return score_rows(predictor, rows, found, disorder=disorder), found.weights is not None


def rows_beside(
    mixture: Any, predictor: Predictor, source: Source, beside: Companions[Any], given: Any
) -> tuple[Rows, Companions[Rows], Predictor]:
    """Return rows, what goes beside them and their noise `given`, and what looks at them.

    There is no noise beside rows that have none, or share one: of these the predictor knows.
    """
    with named_by(replace(beside, noise=given)):
        return _rows_beside(mixture, predictor, source, beside, given)


def _rows_beside(
    mixture: Any, predictor: Predictor, source: Source, beside: Companions[Any], given: Any
) -> tuple[Rows, Companions[Rows], Predictor]:
    if given is None:
        return *scoring_rows(mixture, source, beside), predictor
    check_known_noise(mixture)
    source, given = apart(source, given)
    rows, found = scoring_rows(mixture, source, beside)
    constant = _shared(predictor, given, rows.n_rows)
    if constant is not None:
        return rows, found, widened_by(predictor, constant)
    noise = scoring_noise(mixture, source, rows, given)
    return rows, replace(found, noise=noise), NoisyPredictor(predictor, noise.n_features)


def rows_to_write(
    mixture: Any, predictor: Predictor, source: Source, given: Any
) -> tuple[Predictor, Rows | Labelled]:
    """Return what looks at rows with known noise, or without, and these rows or their grid."""
    if given is None:
        return predictor, rows_or_grid(mixture, source)
    check_known_noise(mixture)
    source, given = apart(source, given)
    constant = _shared(predictor, given, _number_of(source.x))
    if constant is not None:
        return widened_by(predictor, constant), rows_or_grid(mixture, source)
    if source.labelled:
        grid = labelled_rows(mixture, source.x)
        return NoisyPredictor(predictor, len(grid.names)), _wide_grid(grid, given)
    with named_by(Companions(noise=given)):
        rows = _wide_rows(mixture, source, given)
    return NoisyPredictor(predictor, rows.n_features - predictor.n_columns), rows


def table_to_write(
    mixture: Any, predictor: Predictor, source: Source, keys: tuple[str, ...] | None, given: Any
) -> tuple[Predictor, Table]:
    """Return what looks at rows with known noise, or without, and these rows with their keys."""
    features, names = feature_names(mixture), None
    if given is not None:
        check_known_noise(mixture)
        source, given = apart(source, given)
        names = column_names(given)
    if names is None:
        table = source.table(features, keys, CHUNK_ROWS)
        check_features(mixture, table.rows.n_features)
        if given is None:
            return predictor, table
        constant = _shared(predictor, given, table.rows.n_rows)
        if constant is not None:
            return widened_by(predictor, constant), table
        noise = noise_for(table.rows, given, source)
        return NoisyPredictor(predictor, noise.n_features), WideTable(table, noise)
    if features is None:
        features = source.table(None, (*(keys or ()), *names), CHUNK_ROWS).features
    with named_by(Companions(noise=names)):
        table = source.table(_with_noise(mixture, features, names), keys, CHUNK_ROWS)
    return NoisyPredictor(predictor, len(names)), table


def widened_by(predictor: Predictor, noise: NDArray[np.float64]) -> Predictor:
    """Return what looks at rows that all have the same noise."""
    if not noise.any():
        return predictor
    own, wide = predictor, widened(predictor.parameters, noise)
    return Predictor(wide, own.columns, own.transform, own.clusters, own.own_outputs)


@dataclass(frozen=True, slots=True)
class NoisyInAnyForm:
    """Outputs for rows that each have their noise, as `rows.source.Predictions` says.

    Attributes
    ----------
    estimator : Mixture
    predictor : Predictor
        Of that mixture, for rows without noise.
    names : tuple of str
        Outputs.
    noise : object
        As the user gave it, `known_noise.apart` from a grid.
    """

    estimator: Any
    predictor: Predictor
    names: Names
    noise: Any

    @property
    def columns(self) -> tuple[str, ...] | None:
        """Names of the features, and of their noise behind them if it is columns of a table."""
        features, names = feature_names(self.estimator), column_names(self.noise)
        return features if features is None or names is None else (*features, *names)

    def here(self, source: Source) -> tuple[Any, ...]:
        """Return the predictions for all rows as NumPy arrays."""
        wide = _wide_rows(self.estimator, source, self.noise)
        found = predict_rows(self._of(wide.n_features), self.names, wide)
        return tuple(map(np.ascontiguousarray, outputs_apart(found, self.names)))

    def lazily(self, array: Any) -> tuple[Any, ...]:
        """Return the predictions for a lazy array as lazy arrays with the same row chunks."""
        names, features = column_names(self.noise), feature_names(self.estimator)
        if names is None:
            wide = _wide_array(array, self.noise, features)
        elif features is None:
            raise nameless(names)
        else:
            wide = array
        check_features(self.estimator, array.shape[1] - len(names or ()))
        found = predict_lazily(self._of(wide.shape[1]), self.names, wide)
        return outputs_apart(found, self.names)

    def by_partition(self, frame: Any) -> tuple[Any, ...]:
        """Return the predictions for a data frame of Dask as series or frames of Dask."""
        names = column_names(self.noise)
        if names is None:
            raise DataError(
                f"X is a data frame of Dask, and {NAME} is not among its columns. Make it columns "
                "beside the features, and give their names."
            )
        features = feature_names(self.estimator)
        if features is None:
            features = tuple(name for name in map(str, frame.columns) if name not in names)
        both = _with_noise(self.estimator, features, names)
        return predict_frame(self._of(len(both)), self.names, frame, both)

    def on_grid(self, x: Any) -> tuple[Any, ...]:
        """Return the predictions for labelled arrays as labelled arrays."""
        grid = _wide_grid(labelled_rows(self.estimator, x), self.noise)
        return predict_labelled(self._of(grid.stacked.shape[-1]), self.names, grid)

    def _of(self, numbers: int) -> NoisyPredictor:
        """Return what looks at rows of so many numbers, with those of the noise."""
        return NoisyPredictor(self.predictor, numbers - self.predictor.n_columns)


def _shared(predictor: Predictor, given: Any, rows: int | None) -> NDArray[np.float64] | None:
    """Return noise that all rows share, checked; None if each has its own."""
    d = predictor.parameters.n_features
    found = constant_of(given, d, rows)
    if found is not None:
        check_noise(found[None], None, d, lambda _: "all rows", predictor.columns)
    return found


def _number_of(x: Any) -> int | None:
    """Return the number of rows of an object, if it tells."""
    if isinstance(x, (list, tuple)):
        return len(x)
    shape: tuple[Any, ...] = getattr(x, "shape", ())  # that of a grid says nothing of its points
    return shape[0] if len(shape) == 2 and isinstance(shape[0], int) else None


def _with_noise(mixture: Any, features: Sequence[str], names: Sequence[str]) -> tuple[str, ...]:
    """Return the features and the columns of their noise; raise `DataError` if they do not fit."""
    check_features(mixture, len(features))
    check_number(names, len(features))
    both = [name for name in names if name in features]
    if both:
        raise DataError(f"{NAME} names {both[0]!r}, which is a feature. Give columns beside them.")
    return (*features, *names)


def _wide_rows(mixture: Any, source: Source, given: Any) -> Rows:
    """Return rows with their noise behind them; columns of one table come from one read."""
    names, features = column_names(given), feature_names(mixture)
    if names is not None and features is not None and not source.validated:
        return source.checked_rows(_with_noise(mixture, features, names))
    rows = rows_to_score(mixture, source)
    return WideRows(rows, scoring_noise(mixture, source, rows, given))


def _wide_grid(grid: Labelled, given: Any) -> Labelled:
    if not hasattr(given, "dims"):
        raise DataError(
            f"{NAME} has no named dimensions, and X has. Give variables of X by their names, or "
            "labelled arrays: xarray.Dataset({'temp': ...})."
        )
    return wide_grid(grid, given)


def _wide_array(array: Any, given: Any, features: Sequence[str] | None) -> Any:
    """Return a lazy array with its noise behind it, in its row chunks."""
    if np.isnan(array.chunks[0]).any():
        raise DataError(
            f"X has chunks of unknown length, so {NAME} cannot be put beside them; {FIND_LENGTHS}."
        )
    n, d = array.shape
    beside = _lazy(given, features)
    check_shape(beside.shape, d, n)
    if beside.ndim == 1:
        beside = beside[:, None]
    if beside.ndim == 3:
        beside = beside.rechunk({1: -1, 2: -1}).reshape(beside.shape[0], d * d)
    return da.concatenate([array, beside], axis=1).rechunk({0: array.chunks[0], 1: -1})


def _lazy(given: Any, features: Sequence[str] | None) -> Any:
    """Return noise of rows as an array of Dask; its columns, if named, have to be the features."""
    if is_by_part(given):
        return da.concatenate([_lazy(part, features) for part in given])
    if isinstance(given, da.Array):
        unmasked(given._meta, NAME)
        return given
    source = source_of(given)
    check_order(source.names, features)
    if not is_stored(given):
        return da.from_array(plain(given, NAME))
    lazy = source.lazy()
    return da.from_array(plain(source.open(), NAME)) if lazy is None else lazy
