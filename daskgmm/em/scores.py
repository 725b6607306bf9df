"""The scores of a mixture at its parameters, unit by unit, and a sample of rows: one pass."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from daskgmm.arrays import Array
from daskgmm.companions import ALONE, Companions
from daskgmm.em.survey.adaptation import checked_blocks
from daskgmm.em.survey.sample import Sample, SampleRule, join
from daskgmm.em.survey.uniform_sample import rule_of
from daskgmm.em.survey.weighing import Weighing, merge_weighings, weigh
from daskgmm.errors import DataError, SettingError
from daskgmm.gaussian.block import Block
from daskgmm.gaussian.charts.score_chart import TILE, ScoreChart
from daskgmm.gaussian.kernels.backend import Backend
from daskgmm.gaussian.kernels.choice import choose_kernel
from daskgmm.passes.batches import Batch
from daskgmm.passes.configuration import backend
from daskgmm.passes.dataset import Dataset
from daskgmm.passes.over_batches import map_batches

SHORT = 50_000
"""Scores of a unit, those of all its rows and components, up to which they are made row by row, at
4 ns a score: moments take 0.2 ms a unit."""

UNIT_BYTES = 256 << 20
"""Most bytes of the scores of all units."""

LARGEST_GROUP = 2.0**53
"""Group numbers beyond are not exact in float64."""


@dataclass(frozen=True, slots=True)
class Scores:
    """Scores of units of rows.

    Attributes
    ----------
    units : ndarray of int, shape (u,)
        Numbers of the units, ascending.
    sums : ndarray of shape (u, P)
        Weighted scores of the rows of each, in the coordinates of the chart.
    weights : ndarray of shape (u,)
        Sum of the weights of their rows.
    weighing : Weighing
    sample : Sample or None
        Rows in the coordinates of the model.
    """

    units: NDArray[np.int64]
    sums: Array
    weights: Array
    weighing: Weighing
    sample: Sample | None


@dataclass(frozen=True, slots=True)
class ScoreWork:
    """The scores of one batch, with a check of every value.

    Attributes
    ----------
    chart : ScoreChart
    backend : Backend
    rule : SampleRule
    columns : tuple of str or None
        Names in messages.
    length : int or None
        Rows of a unit, numbered as they are read; None if units are the groups beside them.
    """

    chart: ScoreChart
    backend: Backend
    rule: SampleRule
    columns: tuple[str, ...] | None
    length: int | None

    def __call__(self, batch: Batch, blocks: Iterator[Block]) -> Scores:
        """Return the scores of the batch; raise `DataError` at the first bad value."""
        given = checked_blocks(batch, blocks, self.columns)
        found, kept, before = none_of(self.chart), list[Sample](), 0
        for block in self.rule.watch(batch, given, kept):
            units = self._units(batch, block, before)
            found = merge_scores(found, self._scored(block, units))
            before += block.n_read
        sample = join(kept).smallest(self.rule.capacity) if kept else None
        return replace(found, sample=sample)

    def _units(self, batch: Batch, block: Block, before: int) -> NDArray[np.int64]:
        """Return the number of the unit of each row of a block."""
        if self.length is not None:
            return block.numbers(batch.start_row + before) // self.length
        assert block.beside.groups is not None, "without groups blocks have a length"
        values = block.beside.groups.astype(np.float64)
        fine = (np.abs(values) <= LARGEST_GROUP) & (values == np.rint(values))
        if not fine.all():
            row = int(np.argmin(fine))
            place = batch.place(int(block.numbers(before)[row]))
            raise DataError(
                f"Input groups contains {values[row]:g} in {place}. Groups are whole numbers; of "
                "names make some with pandas.factorize(groups)[0]."
            )
        return values.astype(np.int64)

    def _scored(self, block: Block, units: NDArray[np.int64]) -> Scores:
        weights = np.ones(len(units)) if block.weights is None else block.weights
        x, weights = block.x, weights.astype(np.float64)
        if np.any(units[1:] < units[:-1]):
            order = np.argsort(units, kind="stable")
            x, weights, units = x[order], weights[order], units[order]
        starts = np.flatnonzero(np.r_[True, units[1:] != units[:-1]][: len(units)])
        if not len(starts):
            return none_of(self.chart)
        own = None if block.weights is None else weights
        if len(x) * self.chart.free.shape[0] < SHORT * len(starts):
            sums = self._row_by_row(x, weights, starts)
        else:
            sums = self._unit_by_unit(x, own, starts)
        totals = np.add.reduceat(weights, starts)
        return Scores(units[starts], sums, totals, weigh(own, len(x)), None)

    def _row_by_row(
        self, x: NDArray[np.float64], weights: Array, starts: NDArray[np.intp]
    ) -> Array:
        counts = weights > 0  # a row of weight 0 may be anything
        x = np.where(counts[:, None], x, self.chart.parameters.means[0])
        numbers = np.repeat(np.arange(len(starts)), np.diff(np.append(starts, len(x))))
        sums = np.zeros((len(starts), self.chart.n_parameters))
        for first in range(0, len(x), TILE):
            rows = slice(first, first + TILE)
            scores, own = self.chart.of_rows(x[rows]), numbers[rows]
            scores *= weights[rows]
            begins = np.flatnonzero(np.r_[True, own[1:] != own[:-1]])
            sums[own[begins]] += np.add.reduceat(scores, begins, axis=1).T
        return sums

    def _unit_by_unit(
        self, x: NDArray[np.float64], weights: Array | None, starts: NDArray[np.intp]
    ) -> Array:
        own = self.chart.parameters
        center = own.weights @ own.means / own.weights.sum()
        counted = x if weights is None else x[weights > 0]
        half_range = np.abs(counted - center).max(axis=0, initial=0.0)
        kernel = choose_kernel(own, center, half_range, self.chart.noise)
        sums = np.empty((len(starts), self.chart.n_parameters))
        for number, rows in enumerate(np.split(np.arange(len(x)), starts[1:])):
            part = slice(rows[0], rows[-1] + 1)
            block = Block(x[part], ALONE if weights is None else Companions(weights[part]))
            (moments,) = self.backend.moments((kernel,), iter([block]), len(rows))
            sums[number] = self.chart.of_moments(moments)
        return sums


def none_of(chart: ScoreChart) -> Scores:
    """Return the scores of no units."""
    sums = np.empty((0, chart.n_parameters))
    return Scores(np.empty(0, np.int64), sums, np.empty(0), Weighing(), None)


def merge_scores(one: Scores, other: Scores) -> Scores:
    """Return the scores of the units of both, without a sample; raise `SettingError` at too many.

    A unit that is in both has the sum.
    """
    weighing = merge_weighings(one.weighing, other.weighing)
    units, places = np.unique(np.concatenate([one.units, other.units]), return_inverse=True)
    n_parameters = one.sums.shape[1]
    most = UNIT_BYTES // (8 * n_parameters)
    if len(units) > most:
        raise SettingError(
            f"There are more than {most:,} groups, and the scores of {n_parameters} parameters are "
            f"kept for each. Give coarser ones, as groups % {max(1, most // 10)}: what is "
            "independent stays so."
        )
    sums, weights = np.zeros((len(units), n_parameters)), np.zeros(len(units))
    for part, own in ((one, places[: len(one.units)]), (other, places[len(one.units) :])):
        sums[own] += part.sums
        weights[own] += part.weights
    return Scores(units, sums, weights, weighing, None)


def scores_of(
    data: Dataset,
    chart: ScoreChart,
    capacity: int,
    *,
    columns: tuple[str, ...] | None,
    length: int | None,
) -> Scores:
    """Return the scores of all units that have a weight, and a sample of the rows."""
    work = ScoreWork(chart, backend(), rule_of(data, 0, capacity), columns, length)
    found, sample = none_of(chart), None
    for part in map_batches(data, work, name="daskgmm-scores"):
        parts = [each for each in (sample, part.sample) if each is not None]
        sample = join(parts).smallest(capacity) if parts else None
        found = merge_scores(found, part)
    weighed = found.weights > 0
    units, sums, weights = found.units[weighed], found.sums[weighed], found.weights[weighed]
    return Scores(units, sums, weights, found.weighing, sample)
