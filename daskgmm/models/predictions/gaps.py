"""Rows of one pattern of missing values, and what a mixture expects in their gaps."""

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
    """

    whole: Parameters
    pattern: Pattern
    given: NDArray[Any]
    coordinates: Coordinates | None

    def filled(self, observed: Array, responsibilities: Array) -> NDArray[Any]:
        """Return the rows, (b, d), with the expectation of the mixture in their gaps.

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
        # Component by component: all at once would take k rows for one.
        found = np.zeros((len(observed), len(gaps)))
        for k, share in enumerate(responsibilities):
            found += share[:, None] * told.expected_in(k, self.whole.means, observed)
        if self.coordinates is not None:
            found = self.coordinates.of_columns(~self.pattern).undo(found)
        filled[:, gaps] = found
        return filled
