"""Responsibilities of whole rows, and the scores of units of rows that follow from them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from daskgmm.arrays import Array
from daskgmm.em.likelihood import Likelihood
from daskgmm.gaussian.block import Block
from daskgmm.gaussian.charts.conditionals import CompleteRows
from daskgmm.gaussian.charts.row_scores import responsibilities
from daskgmm.gaussian.charts.score_chart import ScoreChart
from daskgmm.gaussian.covariance.structures import structure_of
from daskgmm.gaussian.kernels.backend import Backend
from daskgmm.gaussian.kernels.choice import TOLERANCE, fast_kernel, natural_error
from daskgmm.gaussian.kernels.prediction import Targets
from daskgmm.gaussian.moments import Moments

STRIP_ROWS = 2048
"""Rows whose responsibilities are there at once."""

FOLD = 64
"""Rows that are compared together."""


class Posterior:
    """Responsibilities of whole rows, by a back end where that is exact."""

    def __init__(self, chart: ScoreChart, likelihood: Likelihood, by: Backend) -> None:
        self._chart, self._conditioning = chart, CompleteRows.of(chart)
        own, self._safe = chart.parameters, np.full(chart.parameters.n_features, -1.0)
        plain = chart.outliers is None and not likelihood.labelled
        kernel = fast_kernel(own, chart.center, chart.noise)
        self._prediction = by.prediction(kernel) if plain else None

    def is_exact(self, x: NDArray[Any]) -> bool:
        """Return whether the back end has rows x (b, d), and sums of T about the centre are exact.

        Rows as far away as any that were asked for are then known to be.
        """
        if self._prediction is None:
            return False
        chart = self._chart
        reach = half_range(x, chart.center)
        if not (reach <= self._safe).all():
            reach = np.maximum(self._safe, reach)
            if not natural_error(chart.parameters, chart.center, reach) < TOLERANCE:
                return False
            self._safe = reach
        return True

    def __call__(self, block: Block, *, exact: bool) -> Array:
        """Return responsibilities (b, columns), that of a uniform component last.

        `exact` is what `is_exact` said of these rows, or of more.
        """
        found = np.empty((len(block.x), self._chart.n_columns))
        if not exact or self._prediction is None:
            return self._by_rows(block, found)
        self._prediction.fill(block.x, Targets(responsibilities=found), self._safe)
        return found

    def scores(self, block: Block, starts: NDArray[np.intp]) -> Array:
        """Return the scores (units, P) of units of rows that `is_exact`, which begin at starts."""
        chart, b = self._chart, len(block.x)
        (k, d), structure = chart.parameters.means.shape, structure_of(chart.parameters)
        sums = np.zeros((len(starts), structure.n_statistics(d), k))
        ends = np.append(starts[1:], b)
        for first in range(0, b, STRIP_ROWS):
            stop = min(first + STRIP_ROWS, b)
            part = block.part(slice(first, stop))
            gamma, statistics = self(part, exact=True), _statistics(chart, part.x)
            if part.weights is not None:
                gamma *= part.weights[:, None]
            begin = int(np.searchsorted(ends, first, side="right"))
            for unit in range(begin, int(np.searchsorted(starts, stop))):
                rows = slice(max(starts[unit] - first, 0), min(ends[unit], stop) - first)
                sums[unit] += statistics[:, rows] @ gamma[rows]
        about = np.broadcast_to(chart.center, (k, d))
        return chart.of_moments([Moments(each, about, None, 0.0, 0.0, 0) for each in sums])

    def _by_rows(self, block: Block, found: Array) -> Array:
        step = self._conditioning.tile_rows
        for first in range(0, len(found), step):
            rows = slice(first, first + step)
            part = block.part(rows)
            given = self._conditioning(part)
            found[rows] = responsibilities(self._chart, given, part.beside.labels).T
        return found


def _statistics(chart: ScoreChart, x: NDArray[Any]) -> Array:
    """Return T of rows x (b, d) about the centre, (p, b)."""
    (b, d), statistic = x.shape, structure_of(chart.parameters).statistic
    found = np.empty((1 + d + statistic.n_quadratic(d), b))
    rows = np.empty((d + d // 2, b))
    np.subtract(x.T, chart.center[:, None], out=rows[:d])
    found[0], found[1 : 1 + d] = 1.0, rows[:d]
    statistic.filler(rows, d, found[1 + d :])()
    return found


def half_range(x: NDArray[Any], center: Array) -> Array:
    """Return the largest distance of rows x (m, d) from a centre in each column, (d,).

    0 where all values are missing.
    """
    (m, d), fold = x.shape, FOLD
    if m < fold:
        distances = np.abs(x - center)
        return np.asarray(np.fmax.reduce(distances, axis=0, initial=0.0))
    # Of long rows NumPy compares many numbers at once, of rows of d numbers one after the other.
    folded, rest = x[: m // fold * fold].reshape(-1, fold * d), x[m // fold * fold :]
    ends = []
    for extreme in (np.fmax, np.fmin):
        found = np.concatenate([extreme.reduce(folded, axis=0).reshape(fold, d), rest])
        ends.append(extreme.reduce(found, axis=0).astype(np.float64))
    return np.asarray(np.nan_to_num(np.maximum(ends[0] - center, center - ends[1])))
