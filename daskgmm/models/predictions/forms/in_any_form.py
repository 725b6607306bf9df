"""Predictions in the form of what they are made of: in memory, lazy, by partition, labelled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator

from daskgmm.models.inputs.rows import check_features, feature_names, labelled_rows, rows_to_score
from daskgmm.models.predictions.forms.frame_predictions import predict_frame
from daskgmm.models.predictions.forms.in_memory import Names, apart, predict_rows
from daskgmm.models.predictions.forms.labels import predict_labelled
from daskgmm.models.predictions.forms.lazy import predict_lazily
from daskgmm.models.predictions.prediction import Predictor
from daskgmm.rows.checks.layout import check_rows
from daskgmm.rows.source import Source


@dataclass(frozen=True, slots=True)
class InAnyForm:
    """Outputs of the predictions of a mixture, as `rows.source.Predictions` says.

    Attributes
    ----------
    estimator : Mixture
    predictor : Predictor
        Of that mixture.
    names : tuple of str
        Outputs of `OUTPUTS`, each of one array. All are made of one read and one E-step, and are
        returned as a tuple.
    """

    estimator: BaseEstimator
    predictor: Predictor
    names: Names

    @property
    def columns(self) -> tuple[str, ...] | None:
        """Names of the features."""
        return feature_names(self.estimator)

    def here(self, source: Source) -> tuple[NDArray[Any], ...]:
        """Return the predictions for all rows as NumPy arrays."""
        found = predict_rows(self.predictor, self.names, rows_to_score(self.estimator, source))
        return tuple(map(np.ascontiguousarray, apart(found, self.names)))

    def lazily(self, array: Any) -> tuple[Any, ...]:
        """Return the predictions for a lazy array as lazy arrays with the same row chunks."""
        # Of the array itself: as rows its whole graph would be optimised, only to be dropped.
        check_rows(array.shape, array.dtype)
        check_features(self.estimator, array.shape[1])
        return apart(predict_lazily(self.predictor, self.names, array), self.names)

    def by_partition(self, frame: Any) -> tuple[Any, ...]:
        """Return the predictions for a data frame of Dask as series or frames of Dask."""
        return predict_frame(self.predictor, self.names, frame, self.columns)

    def on_grid(self, x: Any) -> tuple[Any, ...]:
        """Return the predictions for labelled arrays as labelled arrays."""
        return predict_labelled(self.predictor, self.names, labelled_rows(self.estimator, x))
