"""A Gaussian mixture that makes room for outliers: a uniform component, or contaminated ones."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from daskgmm.arrays import Array
from daskgmm.em.model import GaussianModel, MixtureModel
from daskgmm.em.settings import NOISE, Settings
from daskgmm.em.survey import Survey
from daskgmm.gaussian.kernels.kernel import Kernel
from daskgmm.gaussian.m_step import Maximised
from daskgmm.gaussian.moments import Moments
from daskgmm.gaussian.outliers import LEAST_CLEAN, log_volume
from daskgmm.gaussian.parameters import Parameters

FIRST_SHARE = 0.05
"""Proportion of outliers that EM begins with if nothing tells: from 0 it never leaves."""

FIRST_INFLATION = 10.0
"""Factor of the covariance of outliers that EM begins with; the first step finds a better one."""


@dataclass(frozen=True, slots=True)
class RobustModel(MixtureModel):
    """A mixture whose moments tell of outliers (`gaussian.outliers`).

    Attributes
    ----------
    log_volume : float or None
        Of the box that holds all rows, for a uniform component; None without one.
    """

    log_volume: float | None = None

    @classmethod
    def of(cls, settings: Settings, survey: Survey) -> RobustModel:
        """Return the model that a fit with these settings has for the rows surveyed."""
        plain = MixtureModel.of(settings, survey)
        volume = None
        if settings.outliers == NOISE:
            volume = log_volume(survey.minimum, survey.maximum, settings.reg_covar)
        whole = plain.structure, plain.reg_covar, plain.noise, survey, plain.prior
        return cls(*whole, plain.equal_weights, volume)

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
        step = MixtureModel.step(self, moments, parameters)
        found = step.parameters
        if moments.noise is not None:
            rest = float(moments.counts.sum())
            share = moments.noise / (moments.noise + rest)
            if step.shares is not None:
                step = replace(step, shares=(1.0 - share) * step.shares)
            found = replace(
                found,
                weights=(1.0 - share) * found.weights,
                noise_weight=share,
                log_volume=self.log_volume,
            )
        else:
            found = replace(found, clean=moments.clean, inflation=moments.inflation)
        return replace(step, parameters=found)

    def placed(self, parameters: Parameters) -> Parameters:
        """Return the parameters with the volume of these rows: a start has that of a sample."""
        return replace(parameters, log_volume=self.log_volume)

    def with_outliers(self, step: Maximised, share: float = FIRST_SHARE) -> Maximised:
        """Return a start with a share of outliers."""
        parameters = step.parameters
        k = parameters.n_components
        if self.log_volume is None:
            share = min(share, 1.0 - LEAST_CLEAN)
            clean, inflation = np.full(k, 1.0 - share), np.full(k, FIRST_INFLATION)
            parameters = replace(parameters, clean=clean, inflation=inflation)
        else:
            weights = (1.0 - share) * parameters.weights
            parameters = replace(parameters, weights=weights, noise_weight=share)
        return replace(step, parameters=self.placed(parameters))
