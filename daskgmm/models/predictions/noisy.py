"""Posteriors of rows that each have noise of known variance."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daskgmm.em.survey.known_noise import check_noise
from daskgmm.em.survey.values import LARGEST_VALUE, check_values, largest
from daskgmm.gaussian.deconvolution.kernel import RowNoiseKernel, RowNoiseTile
from daskgmm.models.predictions.place import Place
from daskgmm.models.predictions.posteriors.posterior import Posterior
from daskgmm.models.predictions.posteriors.tile_posterior import TilePosterior
from daskgmm.models.predictions.prediction import Predictor


class NoisyPredictor(Predictor):
    """A mixture made ready to look at rows with their noise.

    Rows are (m, d + e): the features of each, and behind them the e numbers of its noise.

    Parameters
    ----------
    exact : Predictor
        Of the same mixture, for rows without noise.
    width : int
        e.
    """

    def __init__(self, exact: Predictor, width: int) -> None:
        super().__init__(
            exact.parameters, exact.columns, exact.transform, exact.clusters, exact.own_outputs
        )
        self._noisy, self._behind = RowNoiseKernel.about(exact.parameters, width), width

    @property
    def width(self) -> int:
        """Numbers of a row, with those of its noise."""
        return self.n_columns + self._behind

    def _prediction(self) -> None:
        """Return nothing: no back end has rows with noise of their own."""

    def posteriors(self, x: NDArray[Any], place: Place) -> Iterator[tuple[slice, Posterior]]:
        """Yield the posteriors of rows, tile by tile, with their places."""
        kernel, d = self._noisy, self.parameters.n_features
        values, noise = x[:, :d], x[:, d:]
        if not largest(values) <= LARGEST_VALUE:
            check_values(values.T, place, self.columns)
        check_noise(noise, None, d, place, self.columns)
        b = max(1, min(kernel.tile_rows, len(x)))
        rows, joint = np.empty((d, b)), np.empty((kernel.n_columns, b))
        for first in range(0, len(x), b):
            part = slice(first, min(first + b, len(x)))
            tile = RowNoiseTile(kernel, rows, joint, np.empty(b), part.stop - first)
            tile.rows[:] = values[part].T
            tile.noise[:] = noise[part].T
            yield part, TilePosterior(tile, self.parameters, kernel.center, values[part])
