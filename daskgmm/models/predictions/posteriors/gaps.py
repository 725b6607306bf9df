"""Gaps of rows: what a mixture expects there, or draws."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from daskgmm.arrays import Array
from daskgmm.em.survey.sample import scrambled
from daskgmm.gaussian.coordinates import Coordinates
from daskgmm.gaussian.missing.conditional import Conditional, marginal
from daskgmm.gaussian.missing.patterns import Pattern
from daskgmm.gaussian.missing.row_by_row import in_order, responsibilities_of
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
    draws : Draws or None
        Random numbers of the rows, if gaps are filled by draws.
    """

    whole: Parameters
    pattern: Pattern
    given: NDArray[Any]
    coordinates: Coordinates | None
    draws: Draws | None = None

    def filled(self) -> NDArray[Any]:
        """Return the rows, (b, d), with the expectation of the mixture in their gaps, or a draw.

        All sums of a row are in a fixed order, so that its bits do not depend on those beside it.
        """
        gaps = np.flatnonzero(~self.pattern)
        filled = self.given.astype(np.float64)
        if not len(gaps):
            return filled
        seen = filled[:, self.pattern]
        if self.coordinates is not None:
            seen = self.coordinates.of_columns(self.pattern).apply(seen)
        found = np.empty((len(seen), len(gaps)))
        observed = marginal(self.whole, self.pattern)
        told = Conditional.of(self.whole, self.pattern, observed)
        height = max(1, MOST_NUMBERS // self.whole.means.size)
        for first in range(0, len(seen), height):
            rows = slice(first, first + height)
            gamma = responsibilities_of(observed, seen[rows])
            if self.draws is None:
                found[rows] = self._expected(told, seen[rows], gamma)
            else:
                found[rows] = self._drawn(told, seen[rows], gamma, self.draws.part(rows))
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
            found[own] = in_order(found[own], root_of(told.covariances[k]).T)
            found[own] += told.expected_in(int(k), self.whole.means, observed[own])
        return found


MOST_NUMBERS = 1 << 17
"""Deviations of rows from all means that are there at once."""


STEP = 2.0**-52
"""Distance of neighbouring uniform numbers. They lie halfway between its multiples:
they are exact, and none is 0 or 1."""


@dataclass(frozen=True, slots=True)
class Draws:
    """Random numbers of rows.

    Attributes
    ----------
    seed : int
    numbers : ndarray of int64, shape (b,)
        Of the rows.
    """

    seed: int
    numbers: NDArray[np.int64]

    def part(self, rows: slice) -> Draws:
        """Return those of some rows."""
        return Draws(self.seed, self.numbers[rows])

    def components(self, responsibilities: Array) -> NDArray[np.intp]:
        """Return a component of each row (b,), drawn with the responsibilities (k, b)."""
        sums = np.zeros_like(responsibilities)
        for place, own in enumerate(responsibilities):
            sums[place] = sums[place - 1] + own
        found: NDArray[np.intp] = (sums < self._uniform(0) * sums[-1]).sum(axis=0)
        return found

    def normal(self, count: int) -> Array:
        """Return independent standard normal numbers, (b, count)."""
        found: Array = ndtri(np.stack([self._uniform(1 + i) for i in range(count)], axis=1))
        return found

    def _uniform(self, stream: int) -> Array:
        """Return the uniform numbers of a stream, above 0 and below 1, (b,)."""
        # One after the other, or a seed would have the numbers of another one's other stream.
        own = scrambled(scrambled(np.uint64(self.seed)) ^ np.uint64(stream))
        bits = scrambled(scrambled(self.numbers.astype(np.uint64)) ^ own)
        found: Array = ((bits >> np.uint64(12)) + 0.5) * STEP
        return found


def root_of(covariance: Array) -> Array:
    """Return R with R R^T = C, of a matrix (m, m) or of variances (m,); rounding below 0 is 0."""
    if covariance.ndim == 1:
        return np.diag(np.sqrt(np.maximum(covariance, 0.0)))
    values, vectors = np.linalg.eigh(covariance)
    return np.asarray(vectors * np.sqrt(np.maximum(values, 0.0)))
