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
from daskgmm.gaussian.outliers import LEAST_CLEAN, box_sides, log_volume, loss_by_noise
from daskgmm.gaussian.parameters import Parameters

FIRST_SHARE = 0.05
"""Proportion of outliers that EM begins with if nothing tells: from 0 it never leaves."""

TRUSTED_SHARE = 1e-3
"""The same of a start that takes no row for an outlier: clean rows lose little by it."""

FIRST_INFLATION = 10.0
"""Factor of the covariance of outliers that EM begins with; the first step finds a better one."""


@dataclass(frozen=True, slots=True)
class RobustModel(MixtureModel):
    """A mixture whose moments tell of outliers (`gaussian.outliers`).

    Attributes
    ----------
    sides : ndarray of shape (d,), or None
        Of the box that holds all rows, for a uniform component; None without one.
    """

    sides: Array | None = None

    @classmethod
    def of(cls, settings: Settings, survey: Survey) -> RobustModel:
        """Return the model that a fit with these settings has for the rows surveyed."""
        plain = MixtureModel.of(settings, survey)
        sides = None
        if settings.outliers == NOISE:
            sides = box_sides(survey.minimum, survey.maximum, settings.reg_covar)
        whole = plain.structure, plain.reg_covar, plain.noise, survey, plain.prior
        return cls(*whole, plain.equal_weights, sides)

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
        """False: the coordinates of acceleration have no place for outliers."""
        return False

    def kernel(self, parameters: Parameters, together: int | None = None) -> Kernel:
        """Return the kernel that is exact enough and the fastest."""
        return GaussianModel.kernel(self, self._noisy(parameters), together)

    def kernel_about(self, parameters: Parameters, points: Array) -> Kernel:
        """Return the slower kernel, which can take moments about any points."""
        return GaussianModel.kernel_about(self, self._noisy(parameters), points)

    def step(self, moments: Moments, parameters: Parameters) -> Maximised:
        """Return the parameters of the highest expected likelihood, those of outliers included."""
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
        else:
            found = replace(found, clean=moments.clean, inflation=moments.inflation)
        return replace(step, parameters=found)

    def discount_of_noise(self, parameters: Parameters) -> float:
        """Return by how much the noise of rows lowers the mean log-likelihood, in nats."""
        taken = MixtureModel.discount_of_noise(self, parameters)
        return taken + (parameters.noise_weight or 0.0) * self.loss

    def _noisy(self, parameters: Parameters) -> Parameters:
        """Return the parameters with a uniform density that the noise of rows lowers."""
        if self.sides is None:
            return parameters
        return replace(parameters, log_volume=log_volume(self.sides) + self.loss)

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
