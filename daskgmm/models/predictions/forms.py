"""Predictions in the form of what they are made of: in memory, lazy, by partition, labelled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray
from sklearn.base import BaseEstimator

from daskgmm.models.inputs import check_features, feature_names, labelled_rows, rows_to_score
from daskgmm.models.predictions.frame_predictions import predict_frame
from daskgmm.models.predictions.in_memory import predict_rows
from daskgmm.models.predictions.labels import predict_labelled
from daskgmm.models.predictions.lazy import predict_lazily
from daskgmm.models.predictions.prediction import Predictor
from daskgmm.rows.layout import check_rows
from daskgmm.rows.source import Source


@dataclass(frozen=True, slots=True)
class InAnyForm:
    """One output of the predictions of a mixture, as `rows.source.Predictions` says.

    Attributes
    ----------
    estimator : Mixture
    predictor : Predictor
        Of that mixture.
    name : str
        An output of `OUTPUTS`.
    """

    estimator: BaseEstimator
    predictor: Predictor
    name: str

    @property
    def columns(self) -> tuple[str, ...] | None:
        """Names of the features."""
        return feature_names(self.estimator)

    def here(self, source: Source) -> NDArray[Any]:
        """Return the predictions for all rows as a NumPy array."""
        return predict_rows(self.predictor, self.name, rows_to_score(self.estimator, source))

    def lazily(self, array: Any) -> Any:
        """Return the predictions for a lazy array as a lazy array with the same row chunks."""
        # Of the array itself: as rows its whole graph would be optimised, only to be dropped.
        check_rows(array.shape, array.dtype)
        check_features(self.estimator, array.shape[1])
        return predict_lazily(self.predictor, self.name, array)

    def by_partition(self, frame: Any) -> Any:
        """Return the predictions for a data frame of Dask as a series or frame of Dask."""
        return predict_frame(self.predictor, self.name, frame, self.columns)

    def on_grid(self, x: Any) -> Any:
        """Return the predictions for labelled arrays as a labelled array."""
        return predict_labelled(self.predictor, self.name, labelled_rows(self.estimator, x))
