"""Slopes of the log-likelihood of all rows beside a mixture's parameters: one pass for several."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from operator import add

import numpy as np

from daskgmm.arrays import Array
from daskgmm.em.expectation import ExpectationWork
from daskgmm.em.likelihood import Likelihood
from daskgmm.gaussian.charts.score_chart import ScoreChart
from daskgmm.gaussian.charts.slopes import Beside
from daskgmm.gaussian.kernels.kernel import Kernel
from daskgmm.gaussian.moments import Moments
from daskgmm.passes.configuration import backend
from daskgmm.passes.dataset import Dataset
from daskgmm.passes.over_batches import reduce_batches

STEP = 2e-6
"""Length of a step, in widths of the component that it moves farthest: differences of slopes are
off by about as much as curvatures, and by rounding over it."""

TOGETHER = 64
"""Directions of one pass: each has a kernel of its own."""

PRECISE = 1e-11
"""Rounding errors of log densities, in nats, that such differences bear."""


def products_along(
    data: Dataset,
    chart: ScoreChart,
    directions: Array,
    half_range: Array,
) -> Array:
    """Return the curvature times directions (P, r), shape (P, r), from one pass.

    Parameters
    ----------
    data : Dataset
    chart : ScoreChart
    directions : ndarray of shape (P, r)
    half_range : ndarray of shape (d,)
        Largest distance of a row from `chart.center` in each column.

    Returns
    -------
    ndarray of shape (P, r)
        Minus the differences of slopes there and at the parameters, over the weight of the rows.
    """
    steps = Steps.along(chart, directions)
    kernels = steps.kernels(Likelihood.of(data), half_range)
    nbytes = sum(8 * int(np.prod(kernel.shape[:2])) for kernel in kernels)
    work = ExpectationWork(kernels, backend())
    found = reduce_batches(data, work, add, name="daskgmm-slopes", result_nbytes=nbytes).value
    return steps.products(found.parts)


def curvature_by_slopes(data: Dataset, chart: ScoreChart, half_range: Array) -> Array:
    """Return the curvature (P, P) of all rows, a pass for each `TOGETHER` parameters.

    For the other arguments see `products_along`.
    """
    directions, found = np.eye(chart.n_parameters), []
    for first in range(0, len(directions), TOGETHER):
        along = directions[:, first : first + TOGETHER]
        found.append(products_along(data, chart, along, half_range))
    curvature = np.concatenate(found, axis=1)
    return np.asarray((curvature + curvature.T) / 2.0)


@dataclass(frozen=True, eq=False)
class Steps:
    """Mixtures small steps beside that of a chart, after that itself.

    Attributes
    ----------
    chart : ScoreChart
    lengths : ndarray of shape (r,)
    beside : tuple of Beside, length 1 + r
    """

    chart: ScoreChart
    lengths: Array
    beside: tuple[Beside, ...]

    @classmethod
    def along(cls, chart: ScoreChart, directions: Array) -> Steps:
        """Return those along directions (P, r)."""
        lengths = STEP / np.abs(chart.free @ directions).max(axis=0)
        steps = [np.zeros(chart.n_parameters), *(directions * lengths).T]
        return cls(chart, lengths, tuple(Beside.of(chart, step) for step in steps))

    def kernels(self, likelihood: Likelihood, half_range: Array) -> tuple[Kernel, ...]:
        """Return their kernels, precise enough for differences."""
        how = half_range, PRECISE, len(self.beside)
        return tuple(likelihood.kernel(self.chart, e.parameters, *how) for e in self.beside)

    def products(self, found: Sequence[Moments]) -> Array:
        """Return the curvature times the directions, (P, r), from moments under each."""
        pairs = zip(self.beside, found, strict=True)
        here, *slopes = [each.slope(self.chart, moments) for each, moments in pairs]
        return np.asarray((here - np.stack(slopes)).T / (self.lengths * found[0].weight))
