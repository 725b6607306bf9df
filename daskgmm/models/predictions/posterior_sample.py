"""Posterior probabilities of a uniform sample of rows, from one pass."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np

from daskgmm.blas import one_blas_thread
from daskgmm.em.sample import Sample, join, row_hashes
from daskgmm.em.weighing import check_weights
from daskgmm.gaussian.block import Block
from daskgmm.gaussian.kernels.workspace import small_buffers
from daskgmm.models.predictions.prediction import Array, Place, Predictor, at
from daskgmm.passes.batches import Batch
from daskgmm.passes.over_batches import map_batches
from daskgmm.rows.rows import Rows

SAMPLE_ROWS = 100_000
"""Rows whose posteriors are kept; data with fewer are taken whole."""


@dataclass(frozen=True, slots=True)
class SampleWork:
    """The sample of one batch: its rows with the smallest hashes of their numbers."""

    predictor: Predictor
    capacity: int

    def __call__(self, batch: Batch, blocks: Iterator[Block]) -> Sample | None:
        """Return the sample, its `x` the posteriors (m, k); None for a batch without rows."""
        found: Sample | None = None
        row, before = batch.start_row, 0
        for block in blocks:
            place = at(batch.place, block.numbers(before))
            if block.weights is not None:
                check_weights(block.weights, place)
            part = self._of(block, row, place)
            found = part if found is None else join([found, part]).smallest(self.capacity)
            row, before = row + block.n_read, before + block.n_read
        return found

    def _of(self, block: Block, row: int, place: Place) -> Sample:
        x = self._posteriors(block, place)
        hashes = block.hashes(partial(row_hashes, 0, row))
        weights = np.ones(len(x)) if block.weights is None else block.weights.astype(np.float64)
        positive = weights > 0
        numbers = block.numbers(row)
        whole = Sample(hashes[positive], numbers[positive], x[positive], weights[positive])
        return whole.smallest(self.capacity)

    def _posteriors(self, block: Block, place: Place) -> Array:
        values = np.empty((len(block.x), self.predictor.parameters.n_components))
        with one_blas_thread(), small_buffers():
            for rows, posterior in self.predictor.posteriors(block.x, place):
                values[rows] = posterior.responsibilities.T
        return values


def posterior_sample(
    predictor: Predictor, rows: Rows, weights: Rows | None, capacity: int = SAMPLE_ROWS
) -> tuple[Array, Array]:
    """Return posteriors (k, m) and weights (m,) of a sample of at most `capacity` rows.

    It depends on the rows' numbers alone, not on chunks or workers.
    """
    data = predictor.dataset(rows, weights, present=True)
    found: Sample | None = None
    for part in map_batches(data, SampleWork(predictor, capacity)):
        if part is not None:
            found = part if found is None else join([found, part]).smallest(capacity)
    if found is None:
        return np.empty((predictor.parameters.n_components, 0)), np.empty(0)
    assert found.weights is not None, "each batch has weights"
    return np.ascontiguousarray(found.x.T), found.weights
