"""The scores of a mixture at its parameters, unit by unit, and a sample of rows: one pass."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from operator import itemgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daskgmm.arrays import Array
from daskgmm.em.likelihood import Likelihood, moments_of_parts
from daskgmm.em.posterior import Posterior, half_range
from daskgmm.em.survey.adaptation import checked_blocks
from daskgmm.em.survey.sample import Sample, SampleRule, join
from daskgmm.em.survey.uniform_sample import rule_of
from daskgmm.em.survey.weighing import Weighing, merge_weighings, weigh
from daskgmm.errors import DataError, SettingError
from daskgmm.gaussian.block import Block
from daskgmm.gaussian.charts.row_scores import scores_of_rows
from daskgmm.gaussian.charts.score_chart import ScoreChart
from daskgmm.gaussian.kernels.backend import Backend
from daskgmm.gaussian.kernels.kernel import Kernel
from daskgmm.gaussian.missing.patterns import Pattern, by_pattern
from daskgmm.passes.batches import Batch
from daskgmm.passes.configuration import backend
from daskgmm.passes.dataset import Dataset
from daskgmm.passes.over_batches import map_batches
from daskgmm.readers import remedy

GROUPS_ARE = "each row needs a group, which is a whole number or a text"
"""What groups are, in errors about others."""

SEED = 0
"""Seed of the hashes of rows, by which samples are drawn; a share of the rows holds them."""

SHORT = 8_000
"""Scores of a unit, those of all its rows and components, up to which they are made row by row, at
4 ns a score: moments take 30 us a unit, with gaps of each pattern."""

AT_ONCE = 64
"""Units whose moments become scores together."""

UNITS_WAITING = 1024
"""Units of parts that are not merged yet: each merge goes over all that were."""

UNIT_BYTES = 256 << 20
"""Most bytes of the scores of all units."""

Group = tuple[Pattern | None, NDArray[np.intp] | slice]
"""Rows of one pattern of missing values; None where rows have no gaps."""

ALL_ROWS: Group = None, slice(None)

BEYOND = 2.0**53
"""Group numbers from here on are not exact in float64: it is also what the next one becomes."""


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
    sample: Sample | None = None


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
    likelihood : Likelihood
    """

    chart: ScoreChart
    backend: Backend
    rule: SampleRule
    columns: tuple[str, ...] | None
    length: int | None
    likelihood: Likelihood

    def __call__(self, batch: Batch, blocks: Iterator[Block]) -> Scores:
        """Return the scores of the batch; raise `DataError` at the first bad value."""
        given = checked_blocks(batch, blocks, self.columns, gaps=self.likelihood.gaps)
        found, kept, before = Gathering(none_of(self.chart)), list[Sample](), 0
        posterior = Posterior(self.chart, self.likelihood, self.backend)
        for block in self.rule.watch(batch, given, kept):
            if len(block.x):
                found.add(self._scored(posterior, *self._cut(batch, block, before)))
            before += block.n_read
        sample = join(kept).smallest(self.rule.capacity) if kept else None
        return replace(found.scores(), sample=sample)

    def _cut(
        self, batch: Batch, block: Block, before: int
    ) -> tuple[Block, NDArray[np.int64], NDArray[np.intp]]:
        """Return a block with the rows of each unit beside each other, units, and their starts."""
        if self.length is not None and block.indices is None:
            first = batch.start_row + before
            last = first + len(block.x) - 1
            units = np.arange(first // self.length, last // self.length + 1)
            return block, units, np.maximum(units * self.length - first, 0)
        own = self._units(batch, block, before)
        if np.any(own[1:] < own[:-1]):
            order = np.argsort(own, kind="stable")
            block, own = block.kept(order), own[order]
        starts = np.flatnonzero(np.r_[True, own[1:] != own[:-1]])
        return Block(block.x, block.beside), own[starts], starts

    def _units(self, batch: Batch, block: Block, before: int) -> NDArray[np.int64]:
        """Return the number of the unit of each row of a block."""
        if self.length is not None:
            return block.numbers(batch.start_row + before) // self.length
        assert block.beside.groups is not None, "without groups blocks have a length"
        values = block.beside.groups.astype(np.float64)
        check_exact(values, lambda row: batch.place(int(block.numbers(before)[row])))
        fine = np.isfinite(values) & (values == np.rint(values))
        if not fine.all():
            row = int(np.argmin(fine))
            place = batch.place(int(block.numbers(before)[row]))
            raise DataError(f"Input groups contains {values[row]:g} in {place}, and {GROUPS_ARE}.")
        return values.astype(np.int64)

    def _scored(
        self,
        posterior: Posterior,
        block: Block,
        units: NDArray[np.int64],
        starts: NDArray[np.intp],
    ) -> Scores:
        lengths = np.diff(starts, append=len(block.x))
        given = block.weights
        totals = lengths.astype(np.float64)
        if given is not None:
            totals = np.add.reduceat(given.astype(np.float64), starts)
        weighed, groups = block.weighed(), [ALL_ROWS]
        if self.likelihood.gaps and len(weighed.x):
            groups = list(by_pattern(weighed.x))
        short = len(weighed.x) * self.chart.free.shape[0] < SHORT * len(starts) * len(groups)
        if short or self.chart.outliers is not None:  # of which moments of parts tell nothing
            numbers = np.repeat(np.arange(len(starts)), lengths)
            if given is not None:
                numbers = numbers[given > 0]
            sums = np.zeros((len(starts), self.chart.n_parameters))
            self._add_row_by_row(weighed, numbers, groups, sums)
        elif weighed is block and self.likelihood.is_plain and posterior.is_exact(block.x):
            sums = posterior.scores(block, starts)
        else:
            kernel = self.likelihood.kernel(self.chart, half_range(weighed.x, self.chart.center))
            sums = self._unit_by_unit(kernel, block, starts)
        return Scores(units, sums, totals, weigh(given, len(block.x)))

    def _add_row_by_row(
        self, block: Block, numbers: NDArray[np.intp], groups: Sequence[Group], sums: Array
    ) -> None:
        """Add the scores of rows to the sums of their units, which `numbers` (m,) tells."""
        for pattern, rows in groups:
            columns = slice(None) if pattern is None else pattern
            part = Block(block.x[rows][:, columns], block.beside.map(itemgetter(rows)))
            given, own = self.likelihood.conditioning(self.chart, pattern), numbers[rows]
            for first in range(0, len(own), given.tile_rows):
                tile = slice(first, first + given.tile_rows)
                some, units = part.part(tile), own[tile]
                scores = scores_of_rows(self.chart, given, some)
                if some.weights is not None:
                    scores *= some.weights
                begins = np.flatnonzero(np.r_[True, units[1:] != units[:-1]])
                sums[units[begins]] += np.add.reduceat(scores, begins, axis=1).T

    def _unit_by_unit(self, kernel: Kernel, block: Block, starts: NDArray[np.intp]) -> Array:
        sums = np.empty((len(starts), self.chart.n_parameters))
        edges = [*range(0, len(starts), AT_ONCE), len(starts)]
        for first, stop in itertools.pairwise(edges):
            begin = starts[first]
            end = starts[stop] if stop < len(starts) else len(block.x)
            within = (starts[first:stop] - begin).tolist()
            part = block.part(slice(begin, end))
            moments = moments_of_parts(self.backend, kernel, part, within)
            sums[first:stop] = self.chart.of_moments(moments)
        return sums


def check_exact(groups: NDArray[Any], place: Callable[[int], str]) -> None:
    """Raise `DataError`, with the place of a row, for numbers of groups that float64 may merge."""
    large = np.abs(groups) >= BEYOND
    if large.any():
        row = int(np.argmax(large))
        raise too_large(f"{float(groups[row]):.17g} in {place(row)}")


def too_large(what: str) -> DataError:
    """Return the error of the number of a group, with its place if it is known."""
    texts = remedy(
        "texts, such as groups=ids.astype(str)",
        "texts: write their column with letters before them",
    )
    return DataError(
        f"Input groups contains {what}. From 2^53 on float64 does not hold all whole numbers, so "
        f"that several groups would be taken as one. Give {texts}; or smaller numbers."
    )


def none_of(chart: ScoreChart) -> Scores:
    """Return the scores of no units."""
    return Scores(np.empty(0, np.int64), np.empty((0, chart.n_parameters)), np.empty(0), Weighing())


def merge_scores(parts: Sequence[Scores]) -> Scores:
    """Return the scores of the units of all parts, without a sample; `SettingError` at too many.

    A unit that is in several has their sum, in the order of the parts.
    """
    weighing = functools.reduce(merge_weighings, (part.weighing for part in parts))
    units, places = np.unique(np.concatenate([p.units for p in parts]), return_inverse=True)
    n_parameters = parts[0].sums.shape[1]
    most = UNIT_BYTES // (8 * n_parameters)
    if len(units) > most:
        raise SettingError(
            f"There are more than {most:,} groups, and the scores of {n_parameters} parameters are "
            f"kept for each. Give coarser ones, as groups % {max(1, most // 10)}: what is "
            "independent stays so."
        )
    sums, weights, first = np.zeros((len(units), n_parameters)), np.zeros(len(units)), 0
    for part in parts:
        own = places[first : first + len(part.units)]
        sums[own] += part.sums
        weights[own] += part.weights
        first += len(own)
    return Scores(units, sums, weights, weighing)


class Gathering:
    """Scores of parts of the rows, merged when those to merge outnumber those that were."""

    def __init__(self, none: Scores) -> None:
        self._parts, self._waiting = [none], 0

    def add(self, part: Scores) -> None:
        """Add the scores of further rows."""
        self._parts.append(replace(part, sample=None))
        self._waiting += len(part.units)
        if self._waiting > max(UNITS_WAITING, len(self._parts[0].units)):
            self.scores()

    def scores(self) -> Scores:
        """Return the scores of all rows so far."""
        if len(self._parts) > 1:
            self._parts, self._waiting = [merge_scores(self._parts)], 0
        return self._parts[0]


def scores_of(
    data: Dataset,
    chart: ScoreChart,
    capacity: int,
    *,
    columns: tuple[str, ...] | None,
    length: int | None,
) -> Scores:
    """Return the scores of all units that have a weight, and a sample of the rows."""
    rule, likelihood = rule_of(data, SEED, capacity), Likelihood.of(data)
    work = ScoreWork(chart, backend(), rule, columns, length, likelihood)
    gathering, samples = Gathering(none_of(chart)), list[Sample]()
    for part in map_batches(data, work, name="daskgmm_scores"):
        if part.sample is not None:
            samples.append(part.sample)
        if sum(len(each.hashes) for each in samples) > 2 * capacity:
            samples = [join(samples).smallest(capacity)]
        gathering.add(part)
    found, sample = gathering.scores(), join(samples).smallest(capacity) if samples else None
    weighed = found.weights > 0
    units, sums, weights = found.units[weighed], found.sums[weighed], found.weights[weighed]
    return Scores(units, sums, weights, found.weighing, sample)
