r"""A sample of the rows in which those far from the mean are likelier, each with its weight.

Row i is taken with probability :math:`\pi_i = \min(1, m q_i)`, where, with weights
:math:`w_i` of sum W and squared Mahalanobis distances :math:`\delta_i^2`,

    :math:`q_i = \frac{w_i}{W} \left(\frac{1}{2} + \frac{\delta_i^2}{2 d}\right)`

(Bachem, Lucic & Krause 2018, lightweight coresets, with their distance made independent of
the columns' scales), and counts :math:`w_i / \pi_i`. A uniform sample misses rare clusters far
away, and a fit that starts from it does.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daskgmm.arrays import Array
from daskgmm.companions import ALONE, Companions, concatenated
from daskgmm.em.passing import Pass, run_pass
from daskgmm.em.survey.labelling import Labelling
from daskgmm.em.survey.sample import row_hashes
from daskgmm.em.survey.survey import FILLING_SEED, Survey, TrainingSet
from daskgmm.em.survey.tiles import TILE_ROWS
from daskgmm.gaussian.block import Block
from daskgmm.gaussian.coordinates import whitening
from daskgmm.gaussian.missing.filling import Filling
from daskgmm.passes.batches import Batch

LABELLED = 0.5
"""Largest part of a sample that is drawn for its labels."""


@dataclass(frozen=True, slots=True)
class Draw:
    """Rows taken with unequal probabilities.

    Attributes
    ----------
    ranks : ndarray of shape (m,)
        A uniform number of each row, divided by its q: the smaller, the sooner it is taken.
    chances : ndarray of shape (m,)
        q of each row.
    index : ndarray of int64, shape (m,)
        Row numbers.
    x : ndarray of shape (m, d)
    weights : ndarray of shape (m,)
        The rows' own.
    rows : int
        How many rows were looked at.
    m : int
        Expected number of rows of the sample; 0 in what a batch draws.
    survey : Survey or None
        Of all rows, without a sample; None in what a batch draws.
    beside : Companions of ndarray
        What else goes beside the rows.
    gaps : ndarray of bool, shape (m, d), or None
        Which values were missing, and are filled; None if rows may miss none.
    surveys : dict
        Surveys of parts of the sample by what tells them apart: many models are fitted to each.
    """

    ranks: Array
    chances: Array
    index: NDArray[np.int64]
    x: NDArray[Any]
    weights: Array
    rows: int
    m: int = 0
    survey: Survey | None = None
    beside: Companions[NDArray[Any]] = ALONE
    gaps: NDArray[np.bool_] | None = None
    surveys: dict[Hashable, Survey] = field(
        default_factory=dict, init=False, compare=False, repr=False
    )

    def part(self, share: float = 1.0) -> tuple[NDArray[Any], Array]:
        """Return the rows of a share of the sample, and what they count; shares are nested."""
        m, chosen = share * self.m, self._chosen(share)
        counts = self.weights[chosen] / np.minimum(1.0, m * self.chances[chosen])
        return self.x[chosen], counts

    @property
    def wide(self) -> NDArray[Any]:
        """The rows with the numbers of their noise behind their features, (m, d + e)."""
        noise = self.beside.noise
        return self.x if noise is None else np.concatenate([self.x, noise], axis=1)

    @property
    def as_read(self) -> NDArray[Any]:
        """The rows as `wide`, with NaN where values were missing."""
        return self.wide if self.gaps is None else np.where(self.gaps, np.nan, self.x)

    def wide_part(self, share: float = 1.0) -> NDArray[Any]:
        """Return the rows of `part`, of the same share, as they are in `wide`."""
        return self.wide[self._chosen(share)]

    def beside_part(self, share: float = 1.0) -> Companions[NDArray[Any]]:
        """Return what goes beside the rows of a share, but for the weights."""
        chosen = self._chosen(share)
        return self.beside.map(lambda part: part[chosen])

    def _chosen(self, share: float) -> NDArray[np.bool_]:
        return np.asarray(self.ranks < share * self.m)


def merge_draws(one: Draw, other: Draw) -> Draw:
    """Return the rows of both, those of `one` first."""
    return Draw(
        np.concatenate([one.ranks, other.ranks]),
        np.concatenate([one.chances, other.chances]),
        np.concatenate([one.index, other.index]),
        np.concatenate([one.x, other.x]),
        np.concatenate([one.weights, other.weights]),
        one.rows + other.rows,
        beside=concatenated([one.beside, other.beside]),
    )


@dataclass(frozen=True, slots=True)
class DrawWork:
    """Draws the rows of one batch: `m` of all rows are expected.

    `whitening` (d, r) maps differences from the mean (d,) to vectors whose squared length is the
    distance; `weight` is the sum of all weights. `filling` fills the gaps of
    rows for their distances, if there may be any. If rows have labels, a part of the chances,
    `labelled`, is that of their classes, `Labelling.chances`.
    """

    seed: int
    m: float
    mean: Array
    whitening: Array
    weight: float
    filling: Filling | None = None
    of_classes: Array | None = None
    labelled: float = 0.0

    def __call__(self, batch: Batch, blocks: Iterator[Block]) -> Draw:
        """Return what is drawn of the batch."""
        row, drawn = batch.start_row, []
        for block in blocks:
            drawn.append(self._take(block, row))
            row += block.n_read
        nothing = np.empty(0)
        if not drawn:
            x = np.empty((0, len(self.mean)))
            return Draw(nothing, nothing, np.empty(0, np.int64), x, nothing, 0)
        total = drawn[0]
        for part in drawn[1:]:
            total = merge_draws(total, part)
        return total

    def _take(self, block: Block, row: int) -> Draw:
        b = len(block.x)
        rank = max(1, self.whitening.shape[1])
        chances = 0.5 + self._squares(block.x) / (2 * rank)
        weights = np.ones(b) if block.weights is None else block.weights.astype(np.float64)
        chances *= weights / self.weight
        if self.of_classes is not None:
            own = self.of_classes[block.beside.labels]
            chances = (1.0 - self.labelled) * chances + self.labelled * own
        uniform = block.hashes(partial(row_hashes, self.seed, row)) * 2.0**-64
        chosen = np.flatnonzero((uniform < self.m * chances) & (weights > 0))
        return Draw(
            uniform[chosen] / chances[chosen],
            chances[chosen],
            block.numbers(row)[chosen],
            in_doubles(block.x[chosen]),
            weights[chosen],
            b,
            beside=unweighed(block.beside).map(lambda part: part[chosen]),
        )

    def _squares(self, x: NDArray[Any]) -> Array:
        """Return the squared distance of each row from the mean, some rows at a time."""
        squares = np.empty(len(x))
        for first in range(0, len(x), TILE_ROWS):
            part = x[first : first + TILE_ROWS]
            part = part if self.filling is None else self.filling(part)
            whitened = (part - self.mean) @ self.whitening
            squares[first : first + TILE_ROWS] = np.einsum("ij,ij->i", whitened, whitened)
        return squares


def in_doubles(x: NDArray[Any]) -> NDArray[Any]:
    """Return rows of longer numbers in double precision, all others as they are."""
    return x.astype(np.float64) if x.dtype.itemsize > np.dtype(np.float64).itemsize else x


def unweighed(beside: Companions[NDArray[Any]]) -> Companions[NDArray[Any]]:
    """Return what goes beside rows, but for the weights."""
    return replace(beside, weights=None)


def whole_draw(survey: Survey, seed: int, labelling: Labelling | None = None) -> Draw:
    """Return the survey's sample as a draw, whose parts are uniform samples of it.

    With labels a part has rows of each class beside.
    """
    sample = survey.sample
    assert sample is not None
    n = len(sample.x)
    weights = np.ones(n) if sample.weights is None else sample.weights.astype(np.float64)
    uniform: Array = row_hashes(seed, 0, n).astype(np.float64) * 2.0**-64
    chances, ranks = np.full(n, 1 / n), n * uniform
    if labelling is not None:
        chances = chances + labelling.chances[sample.beside.labels]
        ranks = uniform / chances
    return Draw(
        ranks, chances, sample.index, in_doubles(sample.x), weights, survey.rows, n,
        survey.without_sample(), unweighed(sample.beside), sample.gaps,
    )  # fmt: skip


def draw_rows(rows: TrainingSet, seed: int, m: int, labelling: Labelling | None = None) -> Draw:
    """Draw a sample of about m rows in one pass.

    The same for any chunking, where all lengths of chunks are known. With labels half of it is of
    known classes, about as many of each; all rows of these if they are fewer.
    """
    data, survey = rows.data, rows.survey
    axes = whitening(survey.covariance)
    work = DrawWork(seed, float(m), survey.mean, axes, survey.weight)
    if survey.has_gaps:
        work = replace(work, filling=survey.filling)
    if labelling is not None:
        part = min(LABELLED, labelling.known / m)
        work = replace(work, of_classes=labelling.chances, labelled=part)
    nbytes = m * (data.row_nbytes + 32) // max(1, len(data.batches))
    draw, _ = run_pass(data, Pass("sample", work, merge_draws, nbytes), rows.listen)
    if survey.has_gaps:
        draw = replace(draw, x=survey.filling(draw.x, FILLING_SEED), gaps=np.isnan(draw.x))
    return replace(draw, m=m, survey=survey.without_sample())
