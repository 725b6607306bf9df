"""Models, which EM iterates: they make densities of parameters, and parameters of moments."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np

from daskgmm.arrays import Array
from daskgmm.em.settings import Settings
from daskgmm.em.survey.survey import Survey
from daskgmm.em.survey.weighing import RELATIVE
from daskgmm.gaussian.charts.chart import Chart
from daskgmm.gaussian.charts.choice import chart_at, has_chart
from daskgmm.gaussian.covariance.structure import Structure
from daskgmm.gaussian.covariance.structures import STRUCTURES
from daskgmm.gaussian.deconvolution.choice import choose_deconvolving, deconvolving_about
from daskgmm.gaussian.deconvolution.starting import without_noise
from daskgmm.gaussian.kernels.choice import (
    LEAST_SINGLE_ROWS,
    SINGLE_TOLERANCE,
    TOLERANCE,
    choose_kernel,
    in_single,
    moment_error,
    narrow_components,
    single_moment_error,
)
from daskgmm.gaussian.kernels.kernel import Kernel
from daskgmm.gaussian.kernels.tailed import whitened_kernel
from daskgmm.gaussian.m_step import Maximised, maximise
from daskgmm.gaussian.missing.kernel import MarginalKernel
from daskgmm.gaussian.moments import Moments
from daskgmm.gaussian.parameters import Parameters
from daskgmm.gaussian.priors.prior import PseudoMoments
from daskgmm.gaussian.priors.table import pseudo_moments_of
from daskgmm.gaussian.truncation.cells import Cells
from daskgmm.gaussian.truncation.kernel import TruncatedKernel


class Model(Protocol):
    """Interface of a model to the loop, to acceleration and to starts.

    For every model, `objective` never falls from the parameters of a pass to those that `step`
    makes of its moments. A model with a chart is accelerated (`gaussian.charts`).
    """

    @property
    def has_chart(self) -> bool:
        """Whether the parameters have coordinates, in which acceleration moves them."""

    def chart_at(self, parameters: Parameters) -> Chart:
        """Return the coordinates about parameters, if they have any."""

    @property
    def is_free(self) -> bool:
        """Whether the parameters may move along any direction of their form."""

    @property
    def tolerance_unit(self) -> float:
        """Unit of `tol` of plain EM, in nats per row."""

    def kernel(self, parameters: Parameters, together: int | None = None) -> Kernel:
        """Return the densities, for a pass over all rows.

        `together` is the number of components of all mixtures of the pass.
        """

    def in_single(self, kernel: Kernel, parameters: Parameters) -> Kernel:
        """Return a kernel of parameters in float32, if that errs little, or else as it is."""

    def kernel_about(self, parameters: Parameters, points: Array) -> Kernel:
        """Return the densities in a kernel whose moments are about points (k, d)."""

    def truncated(
        self, kernel: Kernel, parameters: Parameters, cells: Cells, after: Maximised | None
    ) -> Kernel:
        """Return the densities of a kernel of parameters under the candidates of cells alone.

        `after` is an M-step that lost its digits and is made again.
        """

    def complete(self, moments: Moments) -> Moments:
        """Return the moments that the M-step is made of, those of a prior included."""

    def begin(self, moments: Moments) -> Maximised:
        """Return a start, from the complete moments of its responsibilities."""

    def step(self, moments: Moments, parameters: Parameters) -> Maximised:
        """Return the M-step from complete moments under the parameters."""

    def loses_digits(self, step: Maximised, moments: Moments, single: bool = False) -> bool:
        """Return whether an M-step is rounding, and has to be made about its own means.

        `single` says that the moments were taken in float32.
        """

    def objective(self, moments: Moments, parameters: Parameters) -> float:
        """Return what EM raises, in nats per row: the likelihood, with a prior's density."""

    def discount(self, step: Maximised) -> float:
        """Return by how much the objective is less than the mean log density of rows, in nats."""


@dataclass(frozen=True, slots=True)
class GaussianModel:
    """Base class of models of Gaussian components: densities, and the rounding of moments.

    `noise` is as in `kernel.Kernel`; `classes` are those of components (k,), if rows have labels.
    """

    structure: Structure
    reg_covar: float
    noise: float
    survey: Survey
    classes: tuple[int, ...] | None = field(default=None, kw_only=True)

    def kernel(self, parameters: Parameters, together: int | None = None) -> Kernel:
        """Return the kernel that is exact enough and the fastest."""
        survey = self.survey
        about = survey.mean, survey.half_range, self.noise
        if survey.has_gaps:
            return self._of_classes(MarginalKernel.choose(parameters, *about))
        if survey.noise is not None and survey.is_noisy:
            return self._of_classes(choose_deconvolving(parameters, survey.noise, *about))
        return self._of_classes(choose_kernel(parameters, *about, together))

    def in_single(self, kernel: Kernel, parameters: Parameters) -> Kernel:
        """Return a kernel in float32, if it is of whole rows, enough, and the bound allows it."""
        if not self.survey.counted(RELATIVE) >= LEAST_SINGLE_ROWS:
            return kernel
        return in_single(kernel, parameters, self.survey.half_range)

    def kernel_about(self, parameters: Parameters, points: Array) -> Kernel:
        """Return the slower kernel, which can take moments about any points."""
        if self.survey.has_gaps:
            gaps = MarginalKernel.about(parameters, self.survey.mean, points, self.noise)
            return self._of_classes(gaps)
        if self.survey.noise is not None and self.survey.is_noisy:
            noisy = deconvolving_about(parameters, self.survey.noise, points, self.noise)
            return self._of_classes(noisy)
        return self._of_classes(whitened_kernel(parameters, points, self.noise))

    def truncated(
        self, kernel: Kernel, parameters: Parameters, cells: Cells, after: Maximised | None
    ) -> Kernel:
        """Return a kernel under the candidates of cells, the faster one where it is exact."""
        about = self.survey.mean, self.survey.half_range
        narrow = narrow_components(parameters, *about)
        if after is not None:
            narrow = narrow | narrow_components(after.parameters, *about)
            for component in (*after.ridges, *after.collapsed):
                narrow[slice(None) if component is None else component] = True
        truncated, center = TruncatedKernel.of(kernel, cells), self.survey.mean
        return truncated.with_narrow(parameters, narrow, center, self.noise)

    def _of_classes(self, kernel: Kernel) -> Kernel:
        """Return the kernel with the classes of its components, if rows have labels."""
        if self.classes is None:
            return kernel
        return kernel.with_classes(np.array(self.classes, np.intp))

    def loses_digits(self, step: Maximised, moments: Moments, single: bool = False) -> bool:
        """Return whether the new covariances are small beside the distance of their moments.

        The kernel was chosen for the parameters before: components that were wide and are now
        narrow have their moments about points too far away, and what came out is rounding.
        """
        at_center = bool((moments.reference == self.survey.mean).all())
        if (step.ridges or step.collapsed) and at_center:
            return True
        if single:
            error = single_moment_error(step.parameters, moments.reference)
            return error > SINGLE_TOLERANCE
        return moment_error(step.parameters, moments.reference) > TOLERANCE

    def spread_of_all(self, k: int) -> Parameters:
        """Return k equal components with the mean and the covariance of all rows, not factorised.

        A start falls back on them where a component has no rows.
        """
        structure, survey = self.structure, self.survey
        spread = structure.precision.raised(structure.repeat(survey.covariance, k), self.reg_covar)
        means = np.tile(survey.mean, (k, 1))
        return Parameters(structure.name, np.full(k, 1 / k), means, spread, spread)

    def discount_of_noise(self, step: Maximised) -> float:
        """Return by how much the noise lowers the mean log-likelihood, in nats, to first order."""
        if step.trace is not None:
            return 0.5 * self.noise * step.trace
        if self.noise == 0.0:
            return 0.0  # where the traces may be beyond the largest number
        parameters = step.parameters
        shares = parameters.weights if step.shares is None else step.shares
        traces = self.structure.precision.traces(
            parameters.precisions_cholesky, parameters.n_features
        )
        return 0.5 * self.noise * float((shares * traces).sum())


@dataclass(frozen=True, slots=True)
class MixtureModel(GaussianModel):
    """A Gaussian mixture of one structure: maximum likelihood, or the mode under a prior."""

    prior: PseudoMoments | None = None
    equal_weights: bool = False

    @classmethod
    def of(cls, settings: Settings, survey: Survey) -> MixtureModel:
        """Return the model that a fit with these settings has for the rows surveyed."""
        structure = STRUCTURES[settings.structure]
        prior = None
        if settings.prior is not None:
            about = survey.mean, survey.covariance
            k = settings.n_components
            prior = pseudo_moments_of(settings.prior, k, *about, structure)
            # It counts in rows: weights of any scale stand for as many as criteria count.
            rows = survey.counted(settings.weights_are)
            prior = prior.scaled(survey.weight / rows)
        return cls(
            structure,
            settings.reg_covar,
            settings.noise,
            survey,
            prior,
            settings.equal_weights,
            classes=settings.classes,
        )

    @property
    def has_chart(self) -> bool:
        """Whether the structure has coordinates, its own or those of its form."""
        return has_chart(self.structure)

    def chart_at(self, parameters: Parameters) -> Chart:
        """Return the coordinates about parameters."""
        return chart_at(parameters)

    @property
    def is_free(self) -> bool:
        """Whether the structure has all covariances of its form."""
        return self.structure.free

    @property
    def tolerance_unit(self) -> float:
        """One: `tol` of plain EM is in nats per row, as in scikit-learn."""
        return 1.0

    def complete(self, moments: Moments) -> Moments:
        """Return the moments with the prior's."""
        return moments if self.prior is None else self.prior.added_to(moments, self.structure)

    def begin(self, moments: Moments) -> Maximised:
        """Return the parameters of a start, from the complete moments of its responsibilities."""
        fallback = self.spread_of_all(len(moments.counts))
        if self.survey.noise is not None and self.survey.is_noisy:
            moments = without_noise(moments, self.structure, self.survey.noise)
        step = maximise(moments, self.structure.name, self.reg_covar, fallback, first=True)
        return self._weighed(step)

    def step(self, moments: Moments, parameters: Parameters) -> Maximised:
        """Return the parameters of the highest expected likelihood, or posterior density."""
        least = self.survey.least_variances if self.reg_covar == 0 else None
        step = maximise(moments, self.structure.name, self.reg_covar, parameters, least=least)
        if moments.traces is not None:
            step = replace(step, trace=moments.traces / moments.weight)
        return self._weighed(step)

    def _weighed(self, step: Maximised) -> Maximised:
        """Return the step with the proportions that are fixed, if they are."""
        if not self.equal_weights:
            return step
        parameters = step.parameters
        return replace(step, parameters=parameters.with_equal_weights(), shares=parameters.weights)

    def discount(self, step: Maximised) -> float:
        """Return by how much the objective is less than the mean log-likelihood, in nats per row.

        That of the noise is of first order.
        """
        taken = self.discount_of_noise(step)
        if self.prior is None:
            return taken
        density = self.prior.log_density(step.parameters, self.structure, self.noise)
        return taken - density / self.survey.weight

    def objective(self, moments: Moments, parameters: Parameters) -> float:
        """Return the mean log-likelihood, and the prior's log density over the weight of rows."""
        total = moments.log_likelihood
        if self.prior is not None:
            total += self.prior.log_density(parameters, self.structure, self.noise)
        return total / moments.weight
