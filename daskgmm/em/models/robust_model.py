"""A mixture that makes room for outliers: a uniform component, or components with tails."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from daskgmm.arrays import Array
from daskgmm.em.models.model import GaussianModel, MixtureModel
from daskgmm.em.settings import NOISE, Settings
from daskgmm.em.survey.survey import Survey
from daskgmm.gaussian.charts.choice import has_chart
from daskgmm.gaussian.kernels.kernel import Kernel
from daskgmm.gaussian.m_step import Maximised
from daskgmm.gaussian.moments import EMPTY, Moments
from daskgmm.gaussian.noise_terms import noise_terms
from daskgmm.gaussian.outliers import box_sides, log_volume, loss_by_noise
from daskgmm.gaussian.parameters import Parameters
from daskgmm.gaussian.tails.tail import Beside, Tail
from daskgmm.gaussian.tails.tails import TAILS

FIRST_SHARE = 0.05
"""Proportion of outliers that EM begins with if nothing tells: from 0 it never leaves."""

TRUSTED_SHARE = 1e-3
"""The same of a start that takes no row for an outlier: clean rows lose little by it."""


@dataclass(frozen=True, slots=True)
class RobustModel(MixtureModel):
    """A mixture whose moments tell of outliers (`gaussian.outliers`).

    Attributes
    ----------
    sides : ndarray of shape (d,), or None
        Of the box that holds all rows, for a uniform component; None without one.
    tail : Tail or None
        That of the components.
    """

    sides: Array | None = None
    tail: Tail | None = None

    @classmethod
    def of(cls, settings: Settings, survey: Survey) -> RobustModel:
        """Return the model that a fit with these settings has for the rows surveyed."""
        plain = MixtureModel.of(settings, survey)
        sides = None
        if settings.outliers == NOISE:
            sides = box_sides(survey.minimum, survey.maximum, settings.reg_covar)
        whole = plain.structure, plain.reg_covar, plain.noise, survey, plain.prior
        tail = TAILS.get(settings.outliers or "")
        return cls(*whole, plain.equal_weights, sides, tail, classes=plain.classes)

    @property
    def log_volume(self) -> float | None:
        """Logarithm of the volume of the box."""
        return None if self.sides is None else log_volume(self.sides)

    @property
    def loss(self) -> float:
        """Nats that the uniform component loses by the noise of the rows, as Gaussians do."""
        return 0.0 if self.sides is None else loss_by_noise(self.sides, self.noise)

    @property
    def has_chart(self) -> bool:
        """Whether the structure has coordinates, and tails if there are any."""
        tails = self.tail is None or self.tail.has_coordinates
        return tails and has_chart(self.structure)

    @property
    def is_free(self) -> bool:
        """False: components that died are not given rows anew."""
        return False

    def kernel(self, parameters: Parameters, together: int | None = None) -> Kernel:
        """Return the kernel that is exact enough and the fastest."""
        return GaussianModel.kernel(self, self._noisy(parameters), together)

    def kernel_about(self, parameters: Parameters, points: Array) -> Kernel:
        """Return the slower kernel, which can take moments about any points."""
        return GaussianModel.kernel_about(self, self._noisy(parameters), points)

    def step(self, moments: Moments, parameters: Parameters) -> Maximised:
        """Return the parameters of the highest expected likelihood, those of outliers included."""
        if self.tail is not None:
            return self._step_of_tails(self.tail, moments, parameters)
        step = MixtureModel.step(self, moments, parameters)
        found = step.parameters
        if moments.noise is not None:
            rest = float(moments.counts.sum())
            share = moments.noise / (moments.noise + rest)
            step = replace(step, empty=self._empty(step, moments, 1.0 - share))
            if step.shares is not None:
                step = replace(step, shares=(1.0 - share) * step.shares)
            found = replace(
                found,
                weights=(1.0 - share) * found.weights,
                noise_weight=share,
                log_volume=self.log_volume,
            )
        return replace(step, parameters=found)

    def _empty(self, step: Maximised, moments: Moments, part: float) -> tuple[int, ...]:
        """Return the components without rows, where all together have a part of them.

        With fewer rows than a covariance takes all are: the noise has the others.
        """
        if part * self.survey.counted(None) < moments.reference.shape[1] + 1:
            return tuple(range(len(moments.counts)))
        little = part * moments.counts <= EMPTY * moments.counts.sum()
        return tuple(sorted({*step.empty, *np.flatnonzero(little).tolist()}))

    def discount_of_noise(self, step: Maximised) -> float:
        """Return by how much the noise of rows lowers the mean log-likelihood, in nats."""
        taken = MixtureModel.discount_of_noise(self, step)
        return taken + (step.parameters.noise_weight or 0.0) * self.loss

    def _noisy(self, parameters: Parameters) -> Parameters:
        """Return the parameters with a uniform density that the noise of rows lowers."""
        if self.sides is None:
            return parameters
        return replace(parameters, log_volume=log_volume(self.sides) + self.loss)

    def _step_of_tails(self, tail: Tail, moments: Moments, parameters: Parameters) -> Maximised:
        """Return the step of locations and scatter, or that of the tails if it gains more."""
        beside = tail.beside(moments, parameters, self.noise)
        counted = replace(moments, prior_counts=(moments.mean_counts, beside.divisors))
        step = MixtureModel.step(self, counted, parameters)
        found = step.parameters.with_tails_of(beside.parameters)
        alone, gain = tail.alone(moments, parameters)
        if gain > self._gain(beside, moments, parameters, found):
            found = replace(alone, weights=found.weights)
        towards = tail.towards(beside.parameters, alone)
        return replace(step, parameters=found, em=step.parameters.with_tails_of(towards))

    def _gain(
        self, beside: Beside, moments: Moments, parameters: Parameters, found: Parameters
    ) -> float:
        """Return by how much the step of locations and scatter raises the likelihood, in nats."""
        precision, d = self.structure.precision, parameters.n_features
        old, new = parameters.precisions_cholesky, found.precisions_cholesky
        logs = precision.log_determinants(new, d) - precision.log_determinants(old, d)
        noisy = noise_terms(precision, old, d, self.noise)
        return beside.gain + float((moments.counts * (logs + noisy)).sum())

    def placed(self, parameters: Parameters) -> Parameters:
        """Return the parameters with the volume of these rows: a start has that of a sample."""
        return replace(parameters, log_volume=self.log_volume)

    def with_outliers(self, step: Maximised, share: float = FIRST_SHARE) -> Maximised:
        """Return a start with a share of outliers."""
        parameters = step.parameters
        if self.tail is not None:
            parameters = self.tail.begun(parameters, share)
        else:
            weights = (1.0 - share) * parameters.weights
            parameters = replace(parameters, weights=weights, noise_weight=share)
        return replace(step, parameters=self.placed(parameters))
