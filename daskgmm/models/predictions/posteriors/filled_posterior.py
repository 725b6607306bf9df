"""The posterior of rows that a back end predicts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daskgmm.arrays import Array
from daskgmm.gaussian.kernels.prediction import Prediction, Targets
from daskgmm.gaussian.parameters import Parameters
from daskgmm.gaussian.tails.tails import tail_of
from daskgmm.models.predictions.posteriors.posterior import Posterior
from daskgmm.models.predictions.posteriors.tile_posterior import TilePosterior


@dataclass(frozen=True, slots=True)
class Filled:
    """Rows, and what predicts them.

    Attributes
    ----------
    prediction : Prediction
    x : ndarray of shape (b, d)
        In the coordinates of the mixture.
    half_range : ndarray of shape (d,)
        How far they are from the centre.
    """

    prediction: Prediction
    x: NDArray[Any]
    half_range: Array

    def fill(self, targets: Targets) -> None:
        """Fill targets of all rows."""
        filled = self.prediction.fill(self.x, targets, self.half_range)
        assert filled == len(self.x), "all rows are within the range"


class FilledPosterior(Posterior):
    """A posterior whose numbers are those of `Targets`, to the bit, whatever is asked for.

    Parameters
    ----------
    filled : Filled
    parameters, given : as of `Posterior`
    by_tile : callable
        Returns the posterior of the same rows by NumPy, for what is no target: log joint densities
        of components, and outliers of these.
    """

    def __init__(
        self,
        filled: Filled,
        parameters: Parameters,
        given: NDArray[Any],
        by_tile: Callable[[], TilePosterior],
    ) -> None:
        super().__init__(parameters, given)
        self._filled, self._by_tile = filled, by_tile

    @property
    def rows(self) -> Array:
        return np.asarray(self._filled.x, np.float64)

    @cached_property
    def labels(self) -> NDArray[np.intp]:
        """As of `Posterior`; exact whenever it is asked for."""
        labels = np.empty(len(self.given), np.intp)
        self._filled.fill(Targets(labels=labels))
        return labels

    @property
    def log_densities(self) -> Array:
        return self._numbers[0]

    @property
    def memberships(self) -> Array:
        return self._numbers[1].T

    @cached_property
    def outlying(self) -> Array | None:
        """As of `Posterior`."""
        return None if tail_of(self.parameters) is None else self._tile.outlying

    def log_joint(self, components: NDArray[np.intp]) -> Array:
        return self._tile.log_joint(components)

    @cached_property
    def _numbers(self) -> tuple[Array, Array]:
        """Log densities (b,) and memberships (b, k + 1): they are mostly asked for together."""
        n, own = len(self.given), self.parameters
        numbers = np.empty(n), np.empty((n, own.n_components + own.has_noise))
        self._filled.fill(Targets(log_densities=numbers[0], responsibilities=numbers[1]))
        return numbers

    @cached_property
    def _tile(self) -> TilePosterior:
        return self._by_tile()
