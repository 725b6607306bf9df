"""Sums over the rows that pairs of components share, of which the curvature is made: one pass."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from daskgmm.arrays import Array
from daskgmm.em.likelihood import Likelihood
from daskgmm.em.posterior import STRIP_ROWS, Posterior
from daskgmm.gaussian.block import Block
from daskgmm.gaussian.charts.pairs import PairFrames
from daskgmm.gaussian.kernels.backend import Backend
from daskgmm.passes.batches import Batch


@dataclass(frozen=True, eq=False)
class SharedRows:
    """Sums over rows.

    Attributes
    ----------
    weight : float
        Sum of their weights.
    counts : ndarray of shape (columns,)
        Weights of the components.
    products : ndarray of shape (pairs, size)
        As `PairSums.total`.
    """

    weight: float
    counts: Array
    products: Array

    def __add__(self, other: SharedRows) -> SharedRows:
        """Return the sums over both sets of rows."""
        return SharedRows(
            self.weight + other.weight, self.counts + other.counts, self.products + other.products
        )


@dataclass(frozen=True, slots=True)
class SharedRowsWork:
    """The sums over one batch of whole rows, of those that have a weight."""

    frames: PairFrames
    likelihood: Likelihood
    backend: Backend

    def __call__(self, batch: Batch, blocks: Iterator[Block]) -> SharedRows:
        """Return the sums over the batch."""
        chart, weight = self.frames.chart, 0.0
        counts, sums = np.zeros(chart.n_columns), self.backend.pairs(self.frames.layout)
        assert sums is not None, "the back end was asked"
        posterior = Posterior(chart, self.likelihood, self.backend)
        for block in blocks:
            weighed = Block(np.asarray(block.x, np.float64), block.beside).weighed()
            exact = posterior.is_exact(weighed.x)
            for first in range(0, len(weighed.x), STRIP_ROWS):
                part = weighed.part(slice(first, first + STRIP_ROWS))
                given = part.weights
                weights = None if given is None else given.astype(np.float64)
                gamma = posterior(part, exact=exact)
                counts += gamma.sum(axis=0) if weights is None else weights @ gamma
                weight += len(gamma) if weights is None else float(weights.sum())
                sums.add(part.x, gamma, weights)
        return SharedRows(weight, counts, sums.total())
