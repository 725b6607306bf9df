"""The first pass: moments, ranges, a check of every value, and a sample of the rows."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from daskgmm.arrays import Array
from daskgmm.em.events import Listener
from daskgmm.em.survey.observed import Observed
from daskgmm.em.survey.probes import width_of_most, width_of_rest
from daskgmm.em.survey.sample import Sample
from daskgmm.em.survey.weighing import Weighing
from daskgmm.gaussian.coordinates import Coordinates
from daskgmm.gaussian.deconvolution.known import KnownNoise
from daskgmm.gaussian.floor import Floor, Resting, n_degenerate
from daskgmm.gaussian.m_step import Maximised
from daskgmm.gaussian.missing.filling import Filling
from daskgmm.passes.dataset import Dataset

EPSILON = float(np.finfo(np.float64).eps)

TINY = float(np.finfo(np.float64).tiny)

FILLING_SEED = 0
"""Seed of the values that fill the gaps of a sample, which starts are made on."""


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
