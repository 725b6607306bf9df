"""Moments of rows that miss values, from the pairs of values that rows have."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from daskgmm.arrays import Array


@dataclass(frozen=True, slots=True)
class Observed:
    r"""Weighted sums over the rows that have both values of a pair of columns.

    Attributes
    ----------
    reference : ndarray of shape (d,)
        Point r that values are taken from.
    weights : ndarray of shape (d, d)
        Sums of the weights.
    first : ndarray of shape (d, d)
        Entry i, j is the sum of :math:`x_i - r_i`.
    second : ndarray of shape (d, d)
        Sums of :math:`(x_i - r_i) (x_j - r_j)`.
    """

    reference: Array
    weights: Array
    first: Array
    second: Array

    @classmethod
    def of_tile(cls, z: Array, weights: Array | None) -> Observed:
        """Return the sums over a tile z (d, b), about the means of what it has."""
        present = ~np.isnan(z)
        w = present.astype(np.float64) if weights is None else present * weights
        origin = first_values(z)
        difference = np.where(present, z - origin[:, None], 0.0)
        shift = (difference * w).sum(axis=1) / np.maximum(w.sum(axis=1), np.finfo(float).tiny)
        difference = np.where(present, difference - shift[:, None], 0.0)
        weighted = difference if weights is None else difference * weights
        pairs, firsts = w @ present.T.astype(np.float64), weighted @ present.T.astype(np.float64)
        return cls(origin + shift, pairs, firsts, weighted @ difference.T)

    @classmethod
    def of_complete(cls, mean: Array, weight: float, scatter: Array) -> Observed:
        """Return the sums over rows that miss nothing."""
        return cls(mean, np.full(scatter.shape, weight), np.zeros(scatter.shape), scatter)

    def about(self, reference: Array) -> Observed:
        """Return the sums about another point."""
        s, w = reference - self.reference, self.weights
        first = self.first - s[:, None] * w
        second = self.second - s[:, None] * self.first.T - self.first * s + np.outer(s, s) * w
        return Observed(reference, w, first, second)

    def __add__(self, other: Observed) -> Observed:
        """Return the sums over both sets of rows."""
        known = np.diagonal(self.weights) > 0
        reference = np.where(known, self.reference, other.reference)
        one, two = self.about(reference), other.about(reference)
        return Observed(
            reference, one.weights + two.weights, one.first + two.first, one.second + two.second
        )

    @property
    def of_columns(self) -> Array:
        """Weight of the rows that have a value of each column, (d,)."""
        return np.diagonal(self.weights)

    @property
    def mean(self) -> Array:
        """The mean of the values of each column, (d,); the reference where there is none."""
        tiny = np.finfo(np.float64).tiny
        shift: Array = np.diagonal(self.first) / np.maximum(self.of_columns, tiny)
        return self.reference + shift

    def scatter(self, weight: float) -> Array:
        """Return what the scatter (d, d) of complete rows of this weight would be.

        Variances are those of the values that there are. Correlations are those of rows whose gaps
        are filled with means, so that no matrix has a negative eigenvalue: they are shrunk by the
        values that are missing.
        """
        about_mean = self.about(self.mean).second
        share = np.sqrt(weight / np.where(self.of_columns > 0, self.of_columns, np.inf))
        scatter: Array = about_mean * np.outer(share, share)
        return scatter


def first_values(z: Array) -> Array:
    """Return the first value of each row of z (d, b); 0 where there is none."""
    present = ~np.isnan(z)
    if not z.shape[1]:
        return np.zeros(len(z))
    first = np.take_along_axis(z, present.argmax(axis=1)[:, None], axis=1)[:, 0]
    return np.where(present.any(axis=1), first, 0.0)


def without_gaps(values: Array) -> Array:
    """Return values (m, d) whose gaps are filled with others of their column, in turn.

    Quantiles of columns hardly change. A column without values stays as it is.
    """
    gaps = np.isnan(values)
    filled = values.copy()
    for j in np.flatnonzero(gaps.any(axis=0) & ~gaps.all(axis=0)):
        filled[gaps[:, j], j] = np.resize(values[~gaps[:, j], j], int(gaps[:, j].sum()))
    return filled
