"""The curvature of the log-likelihood on a sample, as large as its weakest direction asks for."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from scipy.linalg import eigh

from daskgmm.arrays import Array
from daskgmm.em.scores import Scores
from daskgmm.em.survey.sample import SAMPLE_BYTES
from daskgmm.gaussian.charts.score_chart import ScoreChart
from daskgmm.passes.executors.threads import thread_count

ROWS_PER_PARAMETER = 50
"""Rows of the first sample for each free parameter."""

SAMPLE_ROWS = 100_000
"""Rows of the first sample for small mixtures; data with fewer are taken whole."""

SAMPLE_WORK = 5e9
"""Products P^2 of the rows of a sample that take about a tenth of a second."""

MOST_WORK = 2e12
"""Products of the largest sample: a minute."""

CLOSE = 0.15
"""Standard error of the weakest curvature, of its size, from which on a larger sample is drawn:
those of parameters in that direction are off by as much."""

BARELY = 0.25
"""The same, beyond which the largest sample tells too little."""

SPARE = 1.2
"""Rows that are drawn over those that are needed, as the need is an estimate."""


@dataclass(frozen=True, eq=False)
class Curvature:
    """Minus the second derivatives of the log-likelihood, in the coordinates of a chart.

    Attributes
    ----------
    matrix, squares : ndarray of shape (P, P)
        As `ScoreChart.curvature` returns them.
    least : float
        Smallest eigenvalue of the matrix.
    direction : ndarray of shape (P,)
        Its eigenvector.
    error : float
        Standard error of the smallest eigenvalue; 0 if the sample is all rows.
    rows : int
        Rows of the sample.
    """

    matrix: Array
    squares: Array
    least: float
    direction: Array
    error: float
    rows: int

    def is_told(self, part: float) -> bool:
        """Return whether the weakest curvature is known to this part of it."""
        return self.error == 0.0 or self.error <= part * self.least

    @property
    def rows_needed(self) -> float:
        """Rows of a sample that tells it, where this one does not; twice as many at least.

        The smallest eigenvalue of few rows is too small, by about its error.
        """
        if self.least <= 0.0:
            return math.inf
        part = self.error / (self.least + self.error)
        return self.rows * max(2.0, SPARE * (part / CLOSE) ** 2)


def rows_at_first(n_parameters: int) -> int:
    """Return the most rows of the first sample."""
    cheap = min(SAMPLE_ROWS, int(SAMPLE_WORK / n_parameters**2))
    return max(ROWS_PER_PARAMETER * n_parameters, cheap)


def rows_at_most(n_parameters: int, d: int) -> int:
    """Return the rows of the largest sample."""
    return max(rows_at_first(n_parameters), min(SAMPLE_BYTES // (8 * d), _affordable(n_parameters)))


def _affordable(n_parameters: int) -> int:
    return int(MOST_WORK / n_parameters**2)


def sampled(found: Scores) -> tuple[Array, Array]:
    """Return the rows of the sample (m, d), and their weights (m,)."""
    assert found.sample is not None, "some rows have a weight"
    x, weights = np.asarray(found.sample.x, np.float64), found.sample.weights
    return x, np.ones(len(x)) if weights is None else weights.astype(np.float64)


def curvature_of(chart: ScoreChart, found: Scores) -> Curvature:
    """Return the curvature on the sample, on the threads of this process."""
    x, weights = sampled(found)
    with ThreadPoolExecutor(thread_count()) as pool:
        matrix, squares = chart.curvature(x, weights, pool.map)
    # Of all: asked for one alone, LAPACK returns none where many are nearly equal.
    values, vectors = eigh(matrix)
    least, direction, error = values[0], vectors[:, 0], 0.0
    if len(x) < found.weighing.rows:
        error = chart.curvature_along(x, weights, direction)[1]
    return Curvature(matrix, squares, float(least), direction, error, len(x))
