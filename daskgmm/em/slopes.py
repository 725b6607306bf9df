"""Slopes of the log-likelihood of all rows beside a mixture's parameters: one pass for several."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from operator import add

import numpy as np

from daskgmm.arrays import Array
from daskgmm.em.expectation import ExpectationWork, ManyMoments
from daskgmm.em.scores import SEED
from daskgmm.em.survey.sample import row_hashes
from daskgmm.gaussian.block import Block
from daskgmm.gaussian.charts.score_chart import ScoreChart
from daskgmm.gaussian.charts.slopes import Beside
from daskgmm.gaussian.covariance.structures import structure_of
from daskgmm.gaussian.kernels.choice import fast_kernel, is_whitened_faster, natural_error
from daskgmm.gaussian.kernels.kernel import Kernel
from daskgmm.gaussian.kernels.tailed import whitened_kernel
from daskgmm.passes.batches import Batch
from daskgmm.passes.configuration import backend
from daskgmm.passes.dataset import Dataset
from daskgmm.passes.over_batches import reduce_batches

STEP = 2e-6
"""Length of a step, in widths of the component that it moves farthest: differences of slopes are
off by about as much as curvatures, and by rounding over it."""

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
    lengths = STEP / np.abs(chart.free @ directions).max(axis=0)
    steps = [np.zeros(chart.n_parameters), *(directions * lengths).T]
    beside = [Beside.of(chart, step) for step in steps]
    kernels = tuple(_kernel(chart, each, half_range, len(beside)) for each in beside)
    if data.beside.labels is not None:
        kernels = tuple(kernel.with_classes(chart.classes) for kernel in kernels)
    nbytes = sum(8 * int(np.prod(kernel.shape[:2])) for kernel in kernels)
    work = OfShare(ExpectationWork(kernels, backend()), share)
    found = reduce_batches(data, work, add, name="daskgmm-slopes", result_nbytes=nbytes).value
    pairs = zip(beside, found.parts, strict=True)
    here, *slopes = [each.slope(chart, moments) for each, moments in pairs]
    return np.asarray((here - np.stack(slopes)).T / (lengths * found.parts[0].weight))


def _kernel(chart: ScoreChart, beside: Beside, half_range: Array, together: int) -> Kernel:
    own, (k, d) = beside.parameters, beside.parameters.means.shape
    if is_whitened_faster(structure_of(own), k * together, d):
        return whitened_kernel(own, noise=chart.noise)
    if natural_error(own, chart.center, half_range) < PRECISE:
        return fast_kernel(own, chart.center, chart.noise)
    return whitened_kernel(own, noise=chart.noise)
