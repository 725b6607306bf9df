"""The first pass: moments, ranges, a check of every value, and a sample of the rows."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daskgmm.em.events import Listener
from daskgmm.em.passing import Pass, run_pass
from daskgmm.em.survey.known_noise import check_noise
from daskgmm.em.survey.observed import Observed, first_values, without_gaps
from daskgmm.em.survey.rounding import COLUMNS_ENTRIES, SomeRows, rounding_of, settled
from daskgmm.em.survey.sample import Sample, SampleRule, join
from daskgmm.em.survey.weighing import Weighing, check_weights, merge_weighings, weigh
from daskgmm.errors import DataError
from daskgmm.gaussian.block import Block
from daskgmm.gaussian.coordinates import Coordinates
from daskgmm.gaussian.deconvolution.known import KnownNoise
from daskgmm.gaussian.floor import Floor, Resting, n_degenerate
from daskgmm.gaussian.kernels.tiles import fill_tiles
from daskgmm.gaussian.m_step import Maximised
from daskgmm.gaussian.missing.filling import Filling
from daskgmm.passes.batches import Batch
from daskgmm.passes.dataset import Dataset

Array = NDArray[np.float64]

TILE_ROWS = 2048

EPSILON = float(np.finfo(np.float64).eps)

TINY = float(np.finfo(np.float64).tiny)

LARGEST_VALUE = 1e150
"""Squares of larger values overflow."""

FILLING_SEED = 0
"""Seed of the values that fill the gaps of a sample, which starts are made on."""

PROBED = 32
"""Rows that stand for all of them where only their order of size is asked for."""

IF_MISSING = (
    "If it stands for a missing value, say so where X is stored (the attributes _FillValue or "
    "missing_value of an array) or put NaN in its place, and leave out such rows with "
    "missing='drop' (--missing drop)."
)
"""What to do about a number that may mean that there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """Summary of the rows by one pass, those of weight 0 left out.

    Attributes
    ----------
    rows : int
        Number of rows, those of weight 0 included.
    weighed_rows : int
        Number of rows of positive weight.
    weight : float
        Sum of the weights.
    origin, shift : ndarray of shape (d,)
        The mean, as one of the rows plus a difference: far from zero, their sum is known
        to fewer digits than the two are.
    scatter : ndarray of shape (d, d)
        Weighted sum of (x - mean)(x - mean)^T.
    minimum, maximum : ndarray of shape (d,)
    sample : Sample or None
    missing : int
        Number of rows left out, as they miss a value; not among `rows`.
    rounding : ndarray of shape (d, d), or None
        Covariance of half a step between the values of each column: two values that differ
        by one step have it. None in checkpoints of earlier versions.
    weighing : Weighing or None
        None in what an earlier version kept in a checkpoint; see `completed`.
    observed : Observed or None
        Moments of pairs of values, as read, if rows miss some; None if none does. Then `mean` and
        the diagonal of `scatter` are those of the values that there are.
    noise : KnownNoise or None
        Of rows that have noise of known variance beside them.
    probe : ndarray of shape (m, d), or None
        A few rows from all over the data: quartiles, unlike moments, are those of most rows.
    """

    rows: int
    weighed_rows: int
    weight: float
    origin: Array
    shift: Array
    scatter: Array
    minimum: Array
    maximum: Array
    sample: Sample | None = None
    missing: int = 0
    rounding: Array | None = None
    weighing: Weighing | None = None
    probe: Array | None = None
    observed: Observed | None = None
    noise: KnownNoise | None = None

    @property
    def is_noisy(self) -> bool:
        """Whether rows have noise of known variance, and some of it is not 0."""
        return self.noise is not None and not self.noise.is_zero

    @property
    def has_gaps(self) -> bool:
        """Whether rows miss values, and are not left out for it."""
        return self.observed is not None

    @property
    def filling(self) -> Filling:
        """Values that fill the gaps of rows, by the means and covariances of all."""
        return Filling(self.mean, self.covariance)

    @property
    def covariance(self) -> Array:
        """The covariance of all rows, divided by their weight, shape (d, d)."""
        return self.scatter / max(self.weight, TINY)

    def floor(self, reg_covar: float) -> Floor:
        """Return how narrow a component of these rows may be."""
        rounding = np.zeros_like(self.scatter) if self.rounding is None else self.rounding
        return Floor.of(self.covariance, rounding, reg_covar)

    def n_degenerate(self, step: Maximised, reg_covar: float) -> int:
        """Return the number of components that rest on the floor, collapsed, or have no rows."""
        return n_degenerate(step, self.resting(step, reg_covar))

    def resting(self, step: Maximised, reg_covar: float) -> tuple[Resting, ...]:
        """Return the components that rest on the floor.

        None does where all rows have noise: it bounds what a narrow component gains.
        """
        if self.noise is not None and self.noise.is_everywhere(len(self.shift)):
            return ()
        return self.floor(reg_covar).resting(step)

    @property
    def least_variances(self) -> Array:
        """The variances (d,) that rounding of rows makes; those of no component.

        Of a column that is constant none is smaller.
        """
        width = self.half_range
        if self.probe is not None and len(self.probe):
            most = width_of_most(self.probe)
            width = np.minimum(width, np.where(np.isfinite(most), most, width_of_rest(self.probe)))
        return np.where(self.maximum > self.minimum, (EPSILON * width) ** 2, 0.0)

    def counted(self, weights_are: str | None) -> float:
        """Return n, the number of rows that criteria count, as `Weighing.counted`."""
        return math.nan if self.weighing is None else self.weighing.counted(weights_are)

    @property
    def mean(self) -> Array:
        """The weighted mean of the rows, shape (d,)."""
        return self.origin + self.shift

    @property
    def half_range(self) -> Array:
        """Largest distance of a row from the mean, column by column, shape (d,)."""
        return np.maximum(self.maximum - self.mean, self.mean - self.minimum)

    def without_sample(self) -> Survey:
        """Return the survey without its sample, which is not kept."""
        return replace(self, sample=None)

    def mapped(self, coordinates: Coordinates | None) -> Survey:
        """Return what the survey of the same rows in these coordinates would be.

        Ranges are those that the rows cannot leave: axes across columns have no others here.
        Columns that are scaled keep their own.
        """
        if coordinates is None:
            return self
        shift = coordinates.apply(self.mean)
        if coordinates.axes is None:
            minimum, maximum = coordinates.apply(np.stack([self.minimum, self.maximum]))
        else:
            bound = coordinates.bound(self.half_range)
            minimum, maximum = shift - bound, shift + bound
        sample, probe = self.sample, self.probe
        return replace(
            self,
            origin=np.zeros(len(shift)),
            shift=shift,
            scatter=coordinates.apply_scatter(self.scatter),
            minimum=minimum,
            maximum=maximum,
            sample=None if sample is None else replace(sample, x=coordinates.apply(sample.x)),
            rounding=None if self.rounding is None else coordinates.apply_scatter(self.rounding),
            probe=None if probe is None else coordinates.apply(probe),
        )


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


def check_block(
    batch: Batch,
    before: int,
    block: Block,
    columns: tuple[str, ...] | None,
    *,
    gaps: bool = False,
) -> None:
    """Raise `DataError` at the first bad value or weight of a block, `before` rows into its batch.

    NaN is no bad value where there may be `gaps`.
    """

    def place(row: int) -> str:
        return batch.place(int(block.numbers(before)[row]))

    if block.weights is not None:
        check_weights(block.weights, place)
    if block.beside.noise is not None:
        check_noise(block.beside.noise, block.weights, block.x.shape[1], place, columns)
    with np.errstate(invalid="ignore"):
        fine = largest(block.x) <= LARGEST_VALUE
    if not fine:
        check_values(block.x.T, place, columns, gaps=gaps)


def largest(x: NDArray[Any]) -> float:
    """Return the largest absolute value of x; NaN if one of them is."""
    if not x.size:
        return 0.0
    return float(max(float(x.max()), -float(x.min())))


def check_values(
    z: NDArray[Any],
    place: Callable[[int], str],
    columns: tuple[str, ...] | None,
    *,
    gaps: bool = False,
) -> None:
    """Raise `DataError` at the first value of z (d, b) that is no usable number, if any.

    NaN is usable where there may be `gaps`.
    """
    # In float32, 1e150 would be infinity.
    z = np.asarray(z, np.float64)
    bad = ~(np.abs(z) <= LARGEST_VALUE)
    if gaps:
        bad &= ~np.isnan(z)
    if not bad.any():
        return
    row = int(np.argmax(bad.any(axis=0)))
    column = int(np.argmax(bad[:, row]))
    value = z[column, row]
    name = f"{column}" if columns is None else f"{column} ({columns[column]!r})"
    what = "NaN" if np.isnan(value) else f"{value:g}".replace("inf", "infinity")
    if np.isnan(value):
        advice = (
            "Leave out such rows: missing='drop' (--missing drop). Or fit a mixture to what rows "
            "have: missing='marginalise' (--missing marginalise)."
        )
    elif np.isinf(value):
        advice = "Remove or replace infinite values first."
    else:
        advice = f"Rescale the column: squares of values beyond 1e150 overflow. {IF_MISSING}"
    raise DataError(f"Input X contains {what} in {place(row)}, column {name}. {advice}")


def survey_tile(z: Array, weights: Array | None, *, gaps: bool = False) -> Survey:
    """Return the survey of one tile of shape (d, b), b possibly 0, without a sample.

    Values may be NaN if there may be `gaps`.
    """
    d, rows = z.shape
    if weights is not None:
        chosen = weights > 0
        if not chosen.all():
            z, weights = z[:, chosen], weights[chosen]
    weighed = z.shape[1]
    if weighed == 0:
        nothing, infinity = np.zeros(d), np.full(d, np.inf)
        return Survey(
            rows=rows, weighed_rows=0, weight=0.0, origin=nothing, shift=nothing,
            scatter=np.zeros((d, d)), minimum=infinity, maximum=-infinity, weighing=Weighing(),
        )  # fmt: skip
    if gaps and np.isnan(z.sum()):
        return _survey_with_gaps(z, weights, rows)
    difference = z - z[:, :1]
    weight = float(weighed) if weights is None else float(weights.sum())
    shift = difference.sum(1) / weight if weights is None else difference @ (weights / weight)
    difference -= shift[:, None]
    scaled = difference if weights is None else difference * weights
    return Survey(
        rows=rows, weighed_rows=weighed, weight=weight, origin=z[:, 0].copy(), shift=shift,
        scatter=scaled @ difference.T, minimum=z.min(1), maximum=z.max(1),
        weighing=weigh(weights, weighed),
    )  # fmt: skip


def _survey_with_gaps(z: Array, weights: Array | None, rows: int) -> Survey:
    """Return the survey of a tile (d, b) of which some values are NaN, and no weight is 0."""
    observed = Observed.of_tile(z, weights)
    weight = float(z.shape[1] if weights is None else weights.sum())
    origin, missing = first_values(z), np.isnan(z)
    return Survey(
        rows=rows, weighed_rows=z.shape[1], weight=weight, origin=origin,
        shift=observed.mean - origin, scatter=observed.scatter(weight),
        minimum=np.where(missing, np.inf, z).min(1), maximum=np.where(missing, -np.inf, z).max(1),
        weighing=weigh(weights, z.shape[1]), observed=observed,
    )  # fmt: skip


def _merge_observed(one: Survey, other: Survey) -> Observed | None:
    if not (one.has_gaps or other.has_gaps):
        return None
    parts = [
        Observed.of_complete(each.mean, each.weight, each.scatter)
        if each.observed is None
        else each.observed
        for each in (one, other)
    ]
    return parts[0] + parts[1]


def merge_surveys(one: Survey, other: Survey) -> Survey:
    """Return the survey of both sets of rows (Chan, Golub & LeVeque 1983 for the scatter)."""
    base = other if one.weight == 0 else one
    weight, shift, scatter = one.weight + other.weight, base.shift, base.scatter
    if one.weight != 0 and other.weight != 0:
        difference = (other.origin - one.origin) + (other.shift - one.shift)
        share = other.weight / weight
        shift = one.shift + share * difference
        scatter = one.scatter + other.scatter
        scatter += (one.weight * share) * np.outer(difference, difference)
    observed = _merge_observed(one, other)
    if observed is not None:
        shift, scatter = observed.mean - base.origin, observed.scatter(weight)
    samples = [survey.sample for survey in (one, other) if survey.sample is not None]
    probes = [survey.probe for survey in (one, other) if survey.probe is not None]
    return Survey(
        rows=one.rows + other.rows,
        weighed_rows=one.weighed_rows + other.weighed_rows,
        weight=weight,
        origin=base.origin,
        shift=shift,
        scatter=scatter,
        minimum=np.minimum(one.minimum, other.minimum),
        maximum=np.maximum(one.maximum, other.maximum),
        sample=join(samples) if samples else None,
        missing=one.missing + other.missing,
        rounding=_finest(one.rounding, other.rounding),
        weighing=merge_weighings(one.weighing or Weighing(), other.weighing or Weighing()),
        probe=thinned(np.concatenate(probes)) if probes else None,
        observed=observed,
        noise=_merge_noise(one, other),
    )


def _merge_noise(one: Survey, other: Survey) -> KnownNoise | None:
    if one.noise is None or other.noise is None:
        return other.noise if one.noise is None else one.noise
    return one.noise + other.noise


def _finest(one: Array | None, other: Array | None) -> Array | None:
    if one is None or other is None:
        return other if one is None else one
    return np.minimum(one, other)


def width_of_most(probe: Array) -> Array:
    """Return how far most values of each column are apart, (d,): a few far ones do not matter.

    That is the range of 90 % of them, or if these are one value, infinity: the others are then
    too few for a probe.
    """
    low, high = np.quantile(probe, (0.05, 0.95), axis=0)
    return np.where(high > low, high - low, np.inf)


def width_of_rest(probe: Array) -> Array:
    """Return how far the other values of columns are from the most frequent one, (d,): the median.

    0 where there are none.
    """
    differences = np.abs(probe - np.median(probe, axis=0))
    others = [column[column > 0] for column in differences.T]
    return np.array([np.median(each) if len(each) else 0.0 for each in others])


def thinned(probe: Array) -> Array:
    """Return every second of the rows, or of those, until they are at most twice `PROBED`."""
    while len(probe) > 2 * PROBED:
        probe = probe[::2]
    return probe


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
        sample = replace(sample, x=survey.filling(sample.x, FILLING_SEED))
    return replace(survey, sample=sample, probe=None if probe is None else without_gaps(probe))


@dataclass(frozen=True, slots=True)
class TrainingSet:
    """Rows, what their survey tells, and who listens to passes over them."""

    data: Dataset
    survey: Survey
    listen: Listener

    def mapped(self, coordinates: Coordinates | None) -> TrainingSet:
        """Return the same rows in these coordinates."""
        data, survey = self.data.in_coordinates(coordinates), self.survey.mapped(coordinates)
        return TrainingSet(data, survey, self.listen)


def completed(data: Dataset, survey: Survey, listen: Listener) -> Survey:
    """Return a survey with what an earlier version did not keep of it, at most one pass later."""
    if survey.weighing is None and data.weights is None:
        survey = replace(survey, weighing=weigh(None, survey.rows))
    if not any(each is None for each in (survey.weighing, survey.rounding, survey.probe)):
        return survey
    found = survey_rows(data, None, listen)
    return replace(survey, weighing=found.weighing, rounding=found.rounding, probe=found.probe)
