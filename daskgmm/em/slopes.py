"""Slopes of the log-likelihood of all rows beside a mixture's parameters: one pass for several."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from operator import add

import numpy as np

from daskgmm.arrays import Array
from daskgmm.em.expectation import ExpectationWork, ManyMoments
from daskgmm.em.likelihood import Likelihood, moments_of_block
from daskgmm.em.scores import SEED
from daskgmm.em.survey.sample import row_hashes
from daskgmm.gaussian.block import Block
from daskgmm.gaussian.charts.score_chart import ScoreChart
from daskgmm.gaussian.charts.slopes import Beside
from daskgmm.gaussian.kernels.kernel import Kernel
from daskgmm.gaussian.moments import Moments
from daskgmm.passes.batches import Batch
from daskgmm.passes.configuration import backend
from daskgmm.passes.dataset import Dataset
from daskgmm.passes.over_batches import reduce_batches

STEP = 2e-6
"""Length of a step, in widths of the component that it moves farthest: differences of slopes are
off by about as much as curvatures, and by rounding over it."""

TOGETHER = 8
"""Directions that are looked at together on rows in memory."""

PRECISE = 1e-11
"""Rounding errors of log densities, in nats, that such differences bear."""


@dataclass(frozen=True, slots=True)
class OfShare:
    """Work of a pass on a share of the rows: those whose hashes are smallest."""

    work: ExpectationWork
    share: float

    def __call__(self, batch: Batch, blocks: Iterator[Block]) -> ManyMoments:
        """Return the moments of a batch's part of them."""
        return self.work(batch, blocks if self.share >= 1.0 else self._kept(batch, blocks))

    def _kept(self, batch: Batch, blocks: Iterator[Block]) -> Iterator[Block]:
        row, threshold = batch.start_row, np.uint64(2**64 * self.share)
        for block in blocks:
            hashes = block.hashes(partial(row_hashes, SEED, row))
            row += block.n_read
            yield block.kept(np.flatnonzero(hashes <= threshold))


def products_along(
    data: Dataset,
    chart: ScoreChart,
    directions: Array,
    half_range: Array,
    share: float = 1.0,
) -> Array:
    """Return the curvature times directions (P, r), shape (P, r), from one pass.

    Parameters
    ----------
    data : Dataset
    chart : ScoreChart
    directions : ndarray of shape (P, r)
    half_range : ndarray of shape (d,)
        Largest distance of a row from `chart.center` in each column.
    share : float, default=1
        Share of the rows that it is the curvature of, about.

    Returns
    -------
    ndarray of shape (P, r)
        Minus the differences of slopes there and at the parameters, over the weight of the rows.
    """
    steps = Steps.along(chart, directions)
    kernels = steps.kernels(Likelihood.of(data), half_range)
    nbytes = sum(8 * int(np.prod(kernel.shape[:2])) for kernel in kernels)
    work = OfShare(ExpectationWork(kernels, backend()), share)
    found = reduce_batches(data, work, add, name="daskgmm-slopes", result_nbytes=nbytes).value
    return steps.products(found.parts)


def products_on(
    block: Block, likelihood: Likelihood, chart: ScoreChart, half_range: Array
) -> Array:
    """Return the curvature of the rows of a block, shape (P, P), from slopes."""
    directions, by = np.eye(chart.n_parameters), backend()
    found = []
    for first in range(0, len(directions), TOGETHER):
        steps = Steps.along(chart, directions[:, first : first + TOGETHER])
        kernels = steps.kernels(likelihood, half_range)
        found.append(steps.products(moments_of_block(by, kernels, block)))
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
