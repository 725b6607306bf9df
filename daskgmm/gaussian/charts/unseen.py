r"""Variances of the scores of components given rows that do not tell z, summed over rows.

With z ~ N(m, S), and M the second moment of m (S and M of a row and a component),

.. math::

    \mathrm{cov}(z_a, z_b) &= S_{ab} \\
    \mathrm{cov}(z_a, z_b z_c) &= m_b S_{ac} + m_c S_{ab} \\
    \mathrm{cov}(z_a z_b, z_c z_d) &= M_{ac} S_{bd} + M_{ad} S_{bc} + M_{bc} S_{ad} + M_{bd} S_{ac}
    + S_{ac} S_{bd} + S_{ad} S_{bc},

by Isserlis' theorem. All are entries of :math:`\sum \gamma\, (1; m; M + S / 2) \otimes S`.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

import daskgmm.gaussian.covariance.algebra.packed as packed
from daskgmm.arrays import Array
from daskgmm.gaussian.charts.conditionals import Spread
from daskgmm.gaussian.charts.score_chart import SQRT_2, ScoreChart


class Unseen(Protocol):
    """Sums of one component."""

    def add(self, means: Array, spread: Spread, shares: Array) -> None:
        """Add rows, with means (d, b) and their shares of the component, (b,)."""

    def variance(self, chart: ScoreChart) -> Array:
        """Return the sum of the variances of the scores, (p, p)."""


def unseen_of(chart: ScoreChart, entries: int) -> Unseen:
    """Return empty sums for covariances of z with this number of entries."""
    d = chart.parameters.n_features
    return Axes(d) if entries == d and chart.detail < 2 else Matrices(d)


class Axes:
    """Sums where the covariances of z are diagonal, and so are those of components."""

    def __init__(self, d: int) -> None:
        self._sums = np.zeros((3, d))

    def add(self, means: Array, spread: Spread, shares: Array) -> None:
        """Add rows."""
        own, second = spread.covariances, means**2 + spread.covariances / 2.0
        if spread.of_means is not None:
            second += spread.of_means
        given = own * shares
        self._sums += [given.sum(axis=1), (means * given).sum(axis=1), (second * given).sum(axis=1)]

    def variance(self, chart: ScoreChart) -> Array:
        """Return the sum of the variances of the scores."""
        one, mean, second = self._sums
        d, found = len(one), np.zeros((chart.size, chart.size))
        axes = np.arange(1, 1 + d)
        found[axes, axes] = one
        if chart.detail == 1:
            found[axes, axes + d] = found[axes + d, axes] = SQRT_2 * mean
            found[axes + d, axes + d] = 2.0 * second
        else:
            found[1 : 1 + d, 1 + d] = found[1 + d, 1 : 1 + d] = np.sqrt(2.0 / d) * mean
            found[1 + d, 1 + d] = 2.0 / d * second.sum()
        return found


class Matrices:
    """Sums where the covariances of z are matrices."""

    def __init__(self, d: int) -> None:
        self._d = d
        self._sums = np.zeros((1 + d + packed.size(d), packed.size(d)))

    def add(self, means: Array, spread: Spread, shares: Array) -> None:
        """Add rows."""
        (d, b), own = means.shape, spread.covariances
        rows, columns = packed.indices(d)
        factors = np.empty((len(self._sums), b))
        factors[0], factors[1 : 1 + d] = 1.0, means
        np.multiply(means[rows], means[columns], out=factors[1 + d :])
        factors[1 + d :] += own / 2.0
        if spread.of_means is not None:
            factors[1 + d :] += spread.of_means
        factors *= shares
        if own.shape[1] == 1:
            self._sums += factors.sum(axis=1, keepdims=True) * own[:, 0]
        else:
            self._sums += factors @ own.T

    def variance(self, chart: ScoreChart) -> Array:
        """Return the sum of the variances of the scores."""
        d, size = self._d, len(self._sums)
        rows, columns = packed.indices(d)
        place = np.empty((d, d), np.intp)
        place[rows, columns] = place[columns, rows] = np.arange(len(rows))
        norms, found = np.where(rows == columns, SQRT_2, 1.0), np.zeros((size, size))
        found[1 : 1 + d, 1 : 1 + d] = packed.unpack(self._sums[0], d)
        linear = self._sums[1 : 1 + d][:, place]  # (b, a, c): sums of m_b S_ac
        across = (linear[rows, :, columns] + linear[columns, :, rows]) / norms[:, None]
        found[1 + d :, 1 : 1 + d], found[1 : 1 + d, 1 + d :] = across, across.T
        second = self._sums[1 + d :]
        a, b = rows[:, None], columns[:, None]
        for one, other in ((rows, columns), (columns, rows)):
            products = second[place[a, one], place[b, other]]
            found[1 + d :, 1 + d :] += products
            found[1 + d :, 1 + d :] += second[place[b, other], place[a, one]]
        found[1 + d :, 1 + d :] /= norms[:, None] * norms
        return _in_form(found, d, chart.detail)


def _in_form(variance: Array, d: int, detail: int) -> Array:
    """Return the variance of the scores of a form: of matrices, their diagonals or traces."""
    if detail == 2:
        return variance
    kept = variance[: 1 + 2 * d, : 1 + 2 * d]  # squares come first
    if detail == 1:
        return kept
    trace = np.eye(1 + 2 * d, 2 + d)
    trace[1 + d :, 1 + d :] = 1.0 / np.sqrt(d)
    return np.asarray(trace.T @ kept @ trace)
