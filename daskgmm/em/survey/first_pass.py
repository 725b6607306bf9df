"""The first pass over all rows: their survey."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from daskgmm.em.events import Listener
from daskgmm.em.passing import Pass, run_pass
from daskgmm.em.survey.observed import Observed, without_gaps
from daskgmm.em.survey.probes import PROBED, thinned
from daskgmm.em.survey.rounding import COLUMNS_ENTRIES, SomeRows, rounding_of, settled
from daskgmm.em.survey.sample import Sample, SampleRule, join
from daskgmm.em.survey.survey import FILLING_SEED, Survey
from daskgmm.em.survey.tiles import TILE_ROWS, merge_surveys, survey_tile
from daskgmm.em.survey.values import check_block
from daskgmm.em.survey.weighing import weigh
from daskgmm.errors import DataError
from daskgmm.gaussian.block import Block
from daskgmm.gaussian.deconvolution.known import KnownNoise
from daskgmm.gaussian.kernels.tiles import fill_tiles
from daskgmm.passes.batches import Batch
from daskgmm.passes.dataset import Dataset


def survey_nbytes(d: int) -> int:
    """Return the most bytes that the survey of a batch of d columns holds besides its rows.

    Tiles, the rows that steps are found from and what sorting some of their columns takes, and
    the moments: 39 MB were measured at d=500 and 201 MB at d=2000.
    """
    sorting = 6 * min(TILE_ROWS * d, COLUMNS_ENTRIES)
    return 8 * (5 * TILE_ROWS * d + sorting + 5 * d * d)


def survey_result_nbytes(d: int) -> int:
    """Return the bytes of a survey of d columns, its sample left out."""
    return 8 * d * (2 * d + 2 * PROBED + 4)


@dataclass(frozen=True, slots=True)
class SurveyWork:
    """Surveys one batch, with a sample if there is a rule; `columns` are named in errors.

    Rows may have `gaps`, NaN, if these are allowed, and noise of `noise_width` numbers each beside
    them, if that is not 0.
    """

    n_features: int
    rule: SampleRule | None
    columns: tuple[str, ...] | None = None
    gaps: bool = False
    noise_width: int = 0

    def __call__(self, batch: Batch, blocks: Iterator[Block]) -> Survey:
        """Return the survey of the batch; raise `DataError` at the first bad value."""
        kept: list[Sample] = []
        if self.rule is not None:
            blocks = self.rule.watch(batch, blocks, kept)
        total: Survey | None = None
        buffer, weights = np.empty((self.n_features, TILE_ROWS)), np.empty(TILE_ROWS)
        missing: list[int] = []
        some = SomeRows(self.n_features, batch.rows)
        blocks = self._checked(batch, blocks, missing)
        noise = np.empty((self.noise_width, TILE_ROWS)) if self.noise_width else None
        zeros = np.zeros(self.n_features)
        for b, weighted in fill_tiles(blocks, zeros, buffer, weights, noise):
            of_rows = weights[:b] if weighted else None
            part = survey_tile(buffer[:, :b], of_rows, gaps=self.gaps)
            if noise is not None:
                part = replace(part, noise=KnownNoise.of_tile(noise[:, :b], of_rows))
            total = part if total is None else merge_surveys(total, part)
            some.add(buffer[:, :b], weights[:b] if weighted else None)
        if total is None:
            total = survey_tile(buffer[:, :0], None)
        total = replace(
            total,
            missing=sum(missing),
            rounding=rounding_of(some.rows),
            probe=thinned(some.rows.T).copy(),
        )
        if self.rule is None or not kept:
            return total
        return replace(total, sample=join(kept).smallest(self.rule.capacity))

    def _checked(
        self, batch: Batch, blocks: Iterator[Block], missing: list[int]
    ) -> Iterator[Block]:
        """Pass on blocks of usable numbers; count what was left out of them."""
        before = 0
        for block in blocks:
            check_block(batch, before, block, self.columns, gaps=self.gaps)
            missing.append(block.n_read - len(block.x))
            before += block.n_read
            yield block


@dataclass(frozen=True, slots=True)
class _Merge:
    """Merges surveys and keeps their sample at its size."""

    capacity: int | None

    def __call__(self, one: Survey, other: Survey) -> Survey:
        merged = merge_surveys(one, other)
        if self.capacity is None or merged.sample is None:
            return merged
        if len(merged.sample.hashes) <= 2 * self.capacity:
            return merged
        return replace(merged, sample=merged.sample.smallest(self.capacity))


def survey_rows(data: Dataset, rule: SampleRule | None, listen: Listener) -> Survey:
    """Survey the data set in one pass, in the coordinates that it is seen in.

    Raises `DataError` at a value or a weight that is not finite, or too large to be squared.
    """
    gaps = data.transform.marginalise
    noise = data.beside.noise
    width = 0 if noise is None else noise.n_features
    work = SurveyWork(data.rows.n_features, rule, data.rows.columns, gaps, width)
    merge = _Merge(None if rule is None else rule.capacity)
    # As read: a bad value has its place and its name there.
    as_read, coordinates = data.in_coordinates(None), data.transform.coordinates
    d = data.rows.n_features
    survey, _ = run_pass(as_read, Pass("survey", work, merge, survey_result_nbytes(d)), listen)
    if rule is not None and survey.sample is not None:
        survey = replace(survey, sample=survey.sample.smallest(rule.capacity))
    if survey.observed is not None:
        survey = _filled(survey, survey.observed, data.rows.columns)
    if survey.rounding is not None and survey.probe is not None and survey.weighed_rows:
        rounding = settled(survey.rounding, survey.probe)
        survey = replace(survey, rounding=rounding)
    return survey.mapped(coordinates)


def _filled(survey: Survey, observed: Observed, columns: tuple[str, ...] | None) -> Survey:
    """Return a survey of rows with gaps, whose sample and probe have none."""
    empty = np.flatnonzero(observed.of_columns == 0).tolist()
    if empty and survey.weighed_rows:
        name = f"{empty[0]}" if columns is None else f"{empty[0]} ({columns[empty[0]]!r})"
        raise DataError(
            f"Column {name} of X has no value in any row, so nothing tells its mean. Leave the "
            "column out."
        )
    sample, probe = survey.sample, survey.probe
    if sample is not None:
        filled = survey.filling(sample.x, FILLING_SEED)
        sample = replace(sample, x=filled, gaps=np.isnan(sample.x))
    return replace(survey, sample=sample, probe=None if probe is None else without_gaps(probe))


def completed(data: Dataset, survey: Survey, listen: Listener) -> Survey:
    """Return a survey with what an earlier version did not keep of it, at most one pass later."""
    if survey.weighing is None and data.weights is None:
        survey = replace(survey, weighing=weigh(None, survey.rows))
    if not any(each is None for each in (survey.weighing, survey.rounding, survey.probe)):
        return survey
    found = survey_rows(data, None, listen)
    return replace(survey, weighing=found.weighing, rounding=found.rounding, probe=found.probe)
