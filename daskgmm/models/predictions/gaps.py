"""Rows of one pattern of missing values, and what a mixture expects, or draws, in their gaps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daskgmm.arrays import Array
from daskgmm.gaussian.coordinates import Coordinates
from daskgmm.gaussian.missing.conditional import Conditional, marginal
from daskgmm.gaussian.missing.patterns import Pattern
from daskgmm.gaussian.parameters import Parameters
from daskgmm.models.predictions.drawing import Draws, root_of


@dataclass(frozen=True, slots=True)
class Gaps:
    """Rows that miss the same columns.

    Attributes
    ----------
    whole : Parameters
        Of the densities of whole rows; see `conditional.unstructured`.
    pattern : ndarray of bool, shape (d,)
        Whether each column is observed.
    given : ndarray of shape (b, d)
        The rows, with NaN, in the columns of the data.
    coordinates : Coordinates or None
        What the mixture is in.
    draws : Draws or None
        Random numbers of the rows, if gaps are filled by draws.
    """

    whole: Parameters
    pattern: Pattern
    given: NDArray[Any]
    coordinates: Coordinates | None
    draws: Draws | None = None

    def filled(self, observed: Array, responsibilities: Array) -> NDArray[Any]:
        """Return the rows, (b, d), with the expectation of the mixture in their gaps, or a draw.

        Parameters
        ----------
        observed : ndarray of shape (b, o)
            The observed columns in the coordinates of the mixture.
        responsibilities : ndarray of shape (k, b)
        """
        gaps = np.flatnonzero(~self.pattern)
        filled = self.given.astype(np.float64)
        if not len(gaps):
            return filled
        told = Conditional.of(self.whole, self.pattern, marginal(self.whole, self.pattern))
        if self.draws is None:
            found = self._expected(told, observed, responsibilities)
        else:
            found = self._drawn(told, observed, responsibilities, self.draws)
        if self.coordinates is not None:
            found = self.coordinates.of_columns(~self.pattern).undo(found)
        filled[:, gaps] = found
        return filled

    def _expected(self, told: Conditional, observed: Array, responsibilities: Array) -> Array:
        # Component by component: all at once would take k rows for one.
        found = np.zeros((len(observed), len(told.missing)))
        for k, share in enumerate(responsibilities):
            found += share[:, None] * told.expected_in(k, self.whole.means, observed)
        return found

    def _drawn(
        self, told: Conditional, observed: Array, responsibilities: Array, draws: Draws
    ) -> Array:
        found = draws.normal(len(told.missing))
        components = draws.components(responsibilities)
        for k in np.unique(components):
            own = components == k
            found[own] = found[own] @ root_of(told.covariances[k]).T
            found[own] += told.expected_in(int(k), self.whole.means, observed[own])
        return found
