"""Posterior probabilities of a uniform sample of rows, from one pass."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from daskgmm.arrays import Array
from daskgmm.blas import one_blas_thread
from daskgmm.companions import ALONE, Companions
from daskgmm.em.survey.adaptation import checked_blocks
from daskgmm.em.survey.sample import Sample, SampleRule, join
from daskgmm.gaussian.block import Block
from daskgmm.gaussian.kernels.workspace import small_buffers
from daskgmm.models.predictions.place import Place
from daskgmm.models.predictions.prediction import Predictor
from daskgmm.passes.batches import Batch
from daskgmm.passes.over_batches import map_batches
from daskgmm.rows.rows import Rows

SAMPLE_ROWS = 100_000
"""Rows whose posteriors are kept; data with fewer are taken whole."""


@dataclass(frozen=True, slots=True)
class SampleWork:
    """The sample of one batch: every value is checked, and only drawn rows have an E-step."""

    predictor: Predictor
    rule: SampleRule
    columns: tuple[str, ...] | None

    def __call__(self, batch: Batch, blocks: Iterator[Block]) -> Sample | None:
        """Return the sample, its `x` the posteriors (m, k); None for a batch without rows."""
        kept: list[Sample] = []
        gaps = self.predictor.transform.marginalise
        checked = checked_blocks(batch, blocks, self.columns, gaps=gaps)
        for _ in self.rule.watch(batch, checked, kept):
            pass
        if not kept:
            return None
        drawn = join(kept).smallest(self.rule.capacity)
        place = Place.of(batch).at(drawn.index - batch.start_row)
        return replace(drawn, x=self._posteriors(drawn, place), beside=Companions(drawn.weights))

    def _posteriors(self, drawn: Sample, place: Place) -> Array:
        x, noise = drawn.x, drawn.beside.noise
        if noise is not None:
            x = np.concatenate([x, noise], axis=1)
        values = np.empty((len(x), self.predictor.parameters.n_components))
        with one_blas_thread(), small_buffers():
            for rows, posterior in self.predictor.posteriors(x, place):
                values[rows] = posterior.responsibilities.T
        return values


def posterior_sample(
    predictor: Predictor, rows: Rows, beside: Companions[Rows] = ALONE, capacity: int = SAMPLE_ROWS
) -> tuple[Array, Array]:
    """Return posteriors (k, m) and weights (m,) of a sample of at most `capacity` rows.

    It depends on the rows' numbers alone, not on chunks or workers. Beside the rows are their
    weights and their noise.
    """
    data = predictor.dataset(rows, beside, present=True)
    transform = predictor.transform
    # Of rows that may be left out it is not known how many remain.
    n_rows = None if transform.drop_missing or beside.weights is not None else rows.n_rows
    work = SampleWork(predictor, SampleRule(0, capacity, n_rows), rows.columns)
    found: Sample | None = None
    for part in map_batches(data, work, name="daskgmm_posteriors"):
        if part is not None:
            found = part if found is None else join([found, part]).smallest(capacity)
    if found is None:
        return np.empty((predictor.parameters.n_components, 0)), np.empty(0)
    counts = np.ones(len(found.x)) if found.weights is None else found.weights.astype(np.float64)
    return np.ascontiguousarray(found.x.T), counts
