"""The curvature of the log-likelihood of complete and exact rows: one pass."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from operator import add

import numpy as np

from daskgmm.gaussian.block import Block
from daskgmm.gaussian.charts.score_chart import ScoreChart
from daskgmm.gaussian.charts.score_curvature import SumsOfSquares, sums_of_squares
from daskgmm.passes.batches import Batch
from daskgmm.passes.dataset import Dataset
from daskgmm.passes.over_batches import reduce_batches


@dataclass(frozen=True, slots=True)
class CurvatureWork:
    """The sums over one batch, of rows that have a weight."""

    chart: ScoreChart
    all_rows: bool = False

    def __call__(self, batch: Batch, blocks: Iterator[Block]) -> SumsOfSquares:
        """Return the sums over the batch."""
        none = np.empty((0, self.chart.parameters.n_features))
        found = sums_of_squares(self.chart, none, np.empty(0))
        return functools.reduce(add, map(self._of_block, blocks), found)

    def _of_block(self, block: Block) -> SumsOfSquares:
        weights = block.weights
        if weights is not None and not weights.all():  # a row of weight 0 may be anything
            block = block.kept(np.flatnonzero(weights))
            weights = block.weights
        x = np.asarray(block.x, np.float64)
        given = np.ones(len(x)) if weights is None else weights.astype(np.float64)
        labels = block.beside.labels
        return sums_of_squares(self.chart, x, given, labels, all_rows=self.all_rows)


def squares_of_scores(data: Dataset, chart: ScoreChart, *, all_rows: bool = False) -> SumsOfSquares:
    """Return the sums over a data set, as `sums_of_squares` those over rows."""
    k, size, n_parameters = chart.parameters.n_components, chart.size, chart.n_parameters
    nbytes = 8 * (n_parameters**2 + k * size**2)
    work = CurvatureWork(chart, all_rows)
    outcome = reduce_batches(data, work, add, name="daskgmm-curvature", result_nbytes=nbytes)
    found: SumsOfSquares = outcome.value
    return found
