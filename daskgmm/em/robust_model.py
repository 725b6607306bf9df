"""A mixture that makes room for outliers: a uniform component, or components with tails."""

from __future__ import annotations

from dataclasses import dataclass, replace

from daskgmm.arrays import Array
from daskgmm.em.model import GaussianModel, MixtureModel
from daskgmm.em.settings import NOISE, Settings
from daskgmm.em.survey import Survey
from daskgmm.gaussian.kernels.kernel import Kernel
from daskgmm.gaussian.m_step import Maximised
from daskgmm.gaussian.moments import Moments
from daskgmm.gaussian.outliers import log_volume
from daskgmm.gaussian.parameters import Parameters
from daskgmm.gaussian.tails.tail import Beside, Tail
from daskgmm.gaussian.tails.tails import TAILS

FIRST_SHARE = 0.05
"""Proportion of outliers that EM begins with if nothing tells: from 0 it never leaves."""


@dataclass(frozen=True, slots=True)
class RobustModel(MixtureModel):
    """A mixture whose moments tell of outliers (`gaussian.outliers`).

    Attributes
    ----------
    log_volume : float or None
        Of the box that holds all rows, for a uniform component; None without one.
    tail : Tail or None
        That of the components.
    """

    log_volume: float | None = None
    tail: Tail | None = None

    @classmethod
    def of(cls, settings: Settings, survey: Survey) -> RobustModel:
        """Return the model that a fit with these settings has for the rows surveyed."""
        plain = MixtureModel.of(settings, survey)
        volume = None
        if settings.outliers == NOISE:
            volume = log_volume(survey.minimum, survey.maximum, settings.reg_covar)
        model = cls(plain.structure, plain.reg_covar, plain.noise, survey, plain.prior)
        return replace(model, log_volume=volume, tail=TAILS.get(settings.outliers or ""))

    @property
    def has_chart(self) -> bool:
        """False: the coordinates of acceleration have no place for outliers."""
        return False

    def kernel(self, parameters: Parameters, together: int | None = None) -> Kernel:
        """Return the kernel that is exact enough and the fastest."""
        return GaussianModel.kernel(self, self.placed(parameters), together)

    def kernel_about(self, parameters: Parameters, points: Array) -> Kernel:
        """Return the slower kernel, which can take moments about any points."""
        return GaussianModel.kernel_about(self, self.placed(parameters), points)

    def step(self, moments: Moments, parameters: Parameters) -> Maximised:
        """Return the parameters of the highest expected likelihood, those of outliers included."""
        if self.tail is not None:
            return self._step_of_tails(self.tail, moments, parameters)
        step = MixtureModel.step(self, moments, parameters)
        found = step.parameters
        if moments.noise is not None:
            rest = float(moments.counts.sum())
            share = moments.noise / (moments.noise + rest)
            found = replace(
                found,
                weights=(1.0 - share) * found.weights,
                noise_weight=share,
                log_volume=self.log_volume,
            )
        return replace(step, parameters=found)

    def _step_of_tails(self, tail: Tail, moments: Moments, parameters: Parameters) -> Maximised:
        """Return the step of locations and scatter, or that of the tails if it gains more."""
        beside = tail.beside(moments, parameters, self.noise)
        counted = replace(moments, prior_counts=(moments.mean_counts, beside.divisors))
        step = MixtureModel.step(self, counted, parameters)
        found = step.parameters.with_tails_of(beside.parameters)
        alone, gain = tail.alone(moments, parameters)
        if gain > self._gain(beside, moments, parameters, found):
            found = replace(alone, weights=found.weights)
        return replace(step, parameters=found)

    def _gain(
        self, beside: Beside, moments: Moments, parameters: Parameters, found: Parameters
    ) -> float:
        """Return by how much the step of locations and scatter raises the likelihood, in nats."""
        precision, d = self.structure.precision, parameters.n_features
        old, new = parameters.precisions_cholesky, found.precisions_cholesky
        logs = precision.log_determinants(new, d) - precision.log_determinants(old, d)
        noisy = 0.5 * self.noise * precision.traces(old, d)
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
