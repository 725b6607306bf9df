"""Sums over pieces of contiguous rows: means of moments, and how much these vary."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np

from daskgmm.arrays import Array
from daskgmm.blas import one_blas_thread
from daskgmm.companions import Companions
from daskgmm.em.survey.unsurveyed import map_unsurveyed
from daskgmm.em.survey.values import check_block
from daskgmm.em.survey.weighing import Weighing, merge_weighings, weigh
from daskgmm.gaussian.block import Block
from daskgmm.gaussian.covariance.structures import structure_of
from daskgmm.gaussian.kernels.workspace import small_buffers
from daskgmm.gaussian.parameters import Parameters
from daskgmm.models.predictions.place import Place
from daskgmm.models.predictions.posteriors.posterior import Posterior
from daskgmm.models.predictions.prediction import Predictor
from daskgmm.passes.batches import Batch
from daskgmm.rows.rows import Rows

FIRST_ROWS = 8
"""Rows of the first pieces of a batch."""

MOST_PIECES = 128
"""Pieces that are kept: beyond it neighbours are joined, so that pieces of many rows are long, and
rows that resemble their neighbours are in one. From 64 on their variance is known to 20 %."""

TINY = float(np.finfo(np.float64).tiny)


@dataclass(frozen=True, slots=True)
class Pieces:
    r"""Sums over pieces of contiguous rows.

    Attributes
    ----------
    weights : ndarray of shape (b,)
        Weight of each piece.
    sums : ndarray of shape (b, k, 1 + 2 d)
        :math:`\sum_n w_n \gamma_{nk} (1, z_{nk}, z_{nk}^2)`, with z the difference from the mean
        of component k in its standard deviations, column by column.
    log_likelihood : float
        Sum of log p(x), in nats.
    weighing : Weighing
    """

    weights: Array
    sums: Array
    log_likelihood: float = 0.0
    weighing: Weighing = field(default_factory=Weighing)

    @classmethod
    def none(cls, k: int, d: int) -> Pieces:
        """Return those of no rows."""
        return cls(np.empty(0), np.empty((0, k, 1 + 2 * d)))

    def __add__(self, other: Pieces) -> Pieces:
        """Return the pieces of both; neighbours are joined until there are few enough."""
        joined = Pieces(
            np.concatenate([self.weights, other.weights]),
            np.concatenate([self.sums, other.sums]),
            self.log_likelihood + other.log_likelihood,
            merge_weighings(self.weighing, other.weighing),
        )
        return joined if len(joined.weights) <= MOST_PIECES else joined._evened()

    def _evened(self) -> Pieces:
        """Return half as many pieces as there may be, of neighbours that weigh about the same.

        Halving them would not do: pieces of batches that came first would grow with each batch.
        """
        middles = np.cumsum(self.weights) - self.weights / 2
        total = max(float(self.weights.sum()), TINY)
        bins = (middles / total * (MOST_PIECES // 2)).astype(np.intp)
        places = np.flatnonzero(np.diff(bins, prepend=-1))
        weights, sums = (np.add.reduceat(each, places) for each in (self.weights, self.sums))
        return replace(self, weights=weights, sums=sums)


def variances_of(parameters: Parameters) -> Array:
    """Return the variances of the columns in each component, (k, d), whatever the structure."""
    k, d = parameters.means.shape
    variances = structure_of(parameters).precision.diagonals(parameters.covariances, d)
    return np.broadcast_to(variances, (k, d))


def pieces_of(predictor: Predictor, rows: Rows, weights: Rows | None) -> Pieces:
    """Return the pieces of rows, in one pass; those that miss a value are left out if they may."""
    data = predictor.dataset(rows, Companions(weights), present=True)
    found = Pieces.none(*predictor.parameters.means.shape)
    work = partial(_of_batch, predictor, rows.columns)
    for part in map_unsurveyed(data, work, "daskgmm_drift"):
        found = found + part
    return found


def _of_batch(
    predictor: Predictor, columns: tuple[str, ...] | None, batch: Batch, blocks: Iterator[Block]
) -> Pieces:
    own, before = _Cut(predictor.parameters), 0
    for block in blocks:
        check_block(batch, before, block, columns)
        place = Place.of(batch).at(block.numbers(before))
        with one_blas_thread(), small_buffers():
            for rows, posterior in predictor.posteriors(block.x, place):
                given = block.weights
                own.add(posterior, None if given is None else given[rows].astype(np.float64))
        own.weighing = merge_weighings(own.weighing, weigh(block.weights, len(block.x)))
        before += block.n_read
    return own.pieces()


class _Cut:
    """Cuts the tiles of a batch into pieces, and sums over each."""

    def __init__(self, parameters: Parameters) -> None:
        self._means, self._scales = parameters.means, np.sqrt(variances_of(parameters))
        self._none = Pieces.none(*self._means.shape)
        self._done, self._length, self._filled = self._none, FIRST_ROWS, 0
        self._weights: list[float] = []
        self._sums: list[Array] = []
        self._log_likelihood, self.weighing = 0.0, Weighing()

    def add(self, posterior: Posterior, weights: Array | None) -> None:
        """Add the rows of a tile."""
        densities = posterior.log_densities
        gamma, x = posterior.responsibilities, posterior.rows
        if weights is None:
            weights = np.ones(len(x))
        counted = weights > 0
        self._log_likelihood += float(densities[counted] @ weights[counted])
        if not counted.all():  # such rows may be anything, and pieces do not depend on their places
            gamma, x, weights = gamma[:, counted], x[counted], weights[counted]
        gamma = gamma * weights
        first = 0
        while first < len(x):
            end = min(len(x), first + self._length - self._filled)
            self._sum(gamma[:, first:end], x[first:end], float(weights[first:end].sum()))
            first = end

    def _sum(self, gamma: Array, x: Array, weight: float) -> None:
        """Add rows to the piece that is begun; end it where it is full."""
        found = np.empty(self._none.sums.shape[1:])
        found[:, 0] = gamma.sum(axis=1)
        d = x.shape[1]
        for k, own in enumerate(gamma):
            z = (x - self._means[k]) / self._scales[k]
            found[k, 1 : 1 + d] = own @ z
            z *= z
            found[k, 1 + d :] = own @ z
        if self._filled:
            self._weights[-1] += weight
            self._sums[-1] += found
        else:
            self._weights.append(weight)
            self._sums.append(found)
        self._filled += len(x)
        if self._filled == self._length:
            self._filled = 0
            if len(self._weights) == MOST_PIECES:
                self._halve()

    def _halve(self) -> None:
        self._weights = [sum(pair) for pair in zip(*[iter(self._weights)] * 2, strict=True)]
        self._sums = [one + other for one, other in zip(*[iter(self._sums)] * 2, strict=True)]
        self._length *= 2

    def pieces(self) -> Pieces:
        """Return the pieces of all rows that were added."""
        weights, k = np.array(self._weights), len(self._means)
        sums = np.array(self._sums).reshape(len(weights), k, self._none.sums.shape[2])
        return Pieces(weights, sums, self._log_likelihood, self.weighing)
