"""The curvature of the log-likelihood of rows as they are: one pass."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from operator import add

import numpy as np

from daskgmm.em.likelihood import Likelihood
from daskgmm.em.shared_rows import SharedRows, SharedRowsWork
from daskgmm.gaussian.block import Block
from daskgmm.gaussian.charts.pairs import PairFrames, n_sums
from daskgmm.gaussian.charts.score_chart import ScoreChart
from daskgmm.gaussian.charts.score_curvature import SumsOfSquares, no_squares, sums_of_squares
from daskgmm.gaussian.missing.patterns import grouped
from daskgmm.passes.batches import Batch
from daskgmm.passes.configuration import backend
from daskgmm.passes.dataset import Dataset
from daskgmm.passes.over_batches import reduce_batches

MOST_SUMS = 4_000_000
"""Products of all pairs of components that are summed: 32 MB a thread."""

NAME = "daskgmm_curvature"


@dataclass(frozen=True, slots=True)
class CurvatureWork:
    """The sums over one batch, of rows that have a weight."""

    chart: ScoreChart
    likelihood: Likelihood
    all_rows: bool = False

    def __call__(self, batch: Batch, blocks: Iterator[Block]) -> SumsOfSquares:
        """Return the sums over the batch."""
        weighed = map(_weighed, blocks)
        found = self._by_pattern(weighed) if self.likelihood.gaps else self._of_blocks(weighed)
        return functools.reduce(add, found, no_squares(self.chart))

    def _of_blocks(self, blocks: Iterator[Block]) -> Iterator[SumsOfSquares]:
        conditioning = self.likelihood.conditioning(self.chart)
        for block in blocks:
            yield sums_of_squares(self.chart, conditioning, block, all_rows=self.all_rows)

    def _by_pattern(self, blocks: Iterator[Block]) -> Iterator[SumsOfSquares]:
        for pattern, block in grouped(blocks, self.chart.parameters.n_features):
            given = self.likelihood.conditioning(self.chart, pattern)
            yield sums_of_squares(self.chart, given, block, all_rows=self.all_rows)


def _weighed(block: Block) -> Block:
    """Return the rows of a block that have a weight, in float64."""
    return Block(np.asarray(block.x, np.float64), block.beside).weighed()


def squares_of_scores(data: Dataset, chart: ScoreChart, *, all_rows: bool = False) -> SumsOfSquares:
    """Return the sums over a data set, as `sums_of_squares` those over rows.

    Of whole rows they are made of what pairs of components share, if the back end sums that.
    """
    k, size, n_parameters = chart.n_columns, chart.size, chart.n_parameters
    likelihood = Likelihood.of(data)
    found = _of_pairs(data, chart, likelihood, all_rows=all_rows)
    if found is not None:
        return found
    nbytes = 8 * (n_parameters**2 + 2 * k * size**2)
    work = CurvatureWork(chart, likelihood, all_rows)
    outcome = reduce_batches(data, work, add, name=NAME, result_nbytes=nbytes)
    of_rows: SumsOfSquares = outcome.value
    return of_rows


def _of_pairs(
    data: Dataset, chart: ScoreChart, likelihood: Likelihood, *, all_rows: bool
) -> SumsOfSquares | None:
    """Return the sums by pairs of components; None where rows or the back end do not allow it."""
    many = n_sums(chart, all_rows=all_rows)
    if not likelihood.is_plain or not 0 < many <= MOST_SUMS:
        return None
    frames, by = PairFrames.of(chart, all_rows=all_rows), backend()
    if by.pairs(frames.layout) is None:
        return None
    work = SharedRowsWork(frames, likelihood, by)
    outcome = reduce_batches(data, work, add, name=NAME, result_nbytes=8 * many)
    shared: SharedRows = outcome.value
    return frames.squares(shared.weight, shared.counts, shared.products)
