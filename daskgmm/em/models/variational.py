"""Variational Bayes: EM of the posterior of all parameters, and the bound of the evidence."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

from daskgmm.arrays import Array
from daskgmm.em.models.model import GaussianModel
from daskgmm.em.settings import Settings
from daskgmm.em.survey.survey import Survey
from daskgmm.gaussian.charts.chart import Chart
from daskgmm.gaussian.charts.posterior import OfPosterior
from daskgmm.gaussian.covariance.structures import STRUCTURES
from daskgmm.gaussian.m_step import Maximised, maximise
from daskgmm.gaussian.moments import CompleteMoments, Moments
from daskgmm.gaussian.parameters import Parameters
from daskgmm.gaussian.priors.normal_wishart import NormalWishart, expected_offsets
from daskgmm.gaussian.priors.prior import PseudoMoments
from daskgmm.gaussian.priors.variational_posterior import VariationalPosterior
from daskgmm.gaussian.priors.weight_prior import WeightPrior


@dataclass(frozen=True, slots=True)
class BayesianModel(GaussianModel):
    r"""A mixture whose weights, means and precisions have a posterior (Bishop 2006, section 10.2).

    The E-step takes the expectations of log densities under it, and the M-step is that of a
    conjugate prior: the posterior depends on the rows by their moments alone.

    Attributes
    ----------
    row_weight : float
        The weight that counts as one row: priors count in rows, as criteria do.
    weight_prior : WeightPrior
    component_prior : NormalWishart
    """

    row_weight: float
    weight_prior: WeightPrior
    component_prior: NormalWishart

    @classmethod
    def of(cls, settings: Settings, survey: Survey) -> BayesianModel:
        """Return the model that a fit with these settings has for the rows surveyed."""
        assert settings.bayesian is not None, "the settings are those of a mixture"
        structure = STRUCTURES[settings.structure]
        rows = survey.counted(settings.weights_are)
        return cls(
            structure,
            settings.reg_covar,
            settings.noise,
            survey,
            survey.weight / rows,
            settings.bayesian.of_weights(settings.n_components),
            settings.bayesian.of_components(structure, survey, rows, settings.reg_covar),
            classes=settings.classes,
        )

    @property
    def has_chart(self) -> bool:
        """True: a posterior has the coordinates of a mixture."""
        return True

    def chart_at(self, parameters: Parameters) -> Chart:
        """Return the coordinates about a posterior."""
        return OfPosterior(parameters, self._posterior)

    @property
    def is_free(self) -> bool:
        """False: components that died are not given rows anew."""
        return False

    @property
    def tolerance_unit(self) -> float:
        """One row's part: `tol` of plain EM is in nats of all rows, as in scikit-learn."""
        return self.row_weight / self.survey.weight

    def complete(self, moments: Moments) -> Moments:
        """Return the moments with the prior's: no component is without rows then."""
        values = {field.name: getattr(moments, field.name) for field in fields(moments)}
        pseudo = self._pseudo_moments(len(moments.counts)).scaled(self.row_weight)
        return pseudo.added_to(CompleteMoments(**values), self.structure)

    def begin(self, moments: Moments) -> Maximised:
        """Return the posterior of a start, from the complete moments of its responsibilities."""
        return self._step(moments, self.spread_of_all(len(moments.counts)), first=True)

    def step(self, moments: Moments, parameters: Parameters) -> Maximised:
        """Return the posterior of the highest bound, for the responsibilities of the moments."""
        return self._step(moments, parameters, first=False)

    def objective(self, moments: Moments, parameters: Parameters) -> float:
        """Return the bound of the log evidence, at the posterior of the pass, in nats per row."""
        divergence = self.row_weight * self._divergence(parameters)
        return (moments.log_likelihood - divergence) / moments.weight

    def discount(self, step: Maximised) -> float:
        """Return by how much the bound is less than the mean of the expected log densities."""
        divergence = self.row_weight * self._divergence(step.parameters)
        return self.discount_of_noise(step) + divergence / self.survey.weight

    def _pseudo_moments(self, k: int) -> PseudoMoments:
        return self.component_prior.pseudo_moments(self.structure, k, self.reg_covar)

    def _step(self, moments: Moments, fallback: Parameters, *, first: bool) -> Maximised:
        """Return the M-step of complete moments, with the rest of the posterior."""
        name, counts = self.structure.name, moments.counts / self.row_weight
        step = maximise(moments, name, self.reg_covar, fallback, first)
        return replace(step, parameters=self._posterior(step.parameters, counts))

    def _posterior(self, parameters: Parameters, counts: Array) -> VariationalPosterior:
        """Return the posterior of these means and covariances, and counts in rows."""
        of_weights = self.weight_prior.posterior(counts)
        degrees = self.component_prior.degrees_of_freedom(self.structure, counts)
        beta = self.component_prior.mean_precision + counts
        offsets = expected_offsets(beta, degrees, parameters.n_features)
        return VariationalPosterior(
            parameters.structure,
            self.weight_prior.weights(*of_weights),
            parameters.means,
            parameters.covariances,
            parameters.precisions_cholesky,
            self.weight_prior.log_weights(*of_weights) + offsets,
            counts=counts,
        )

    def _divergence(self, posterior: Parameters) -> float:
        """Return the divergence of the posterior from the prior, in nats."""
        assert isinstance(posterior, VariationalPosterior), "this model iterates posteriors"
        counts, structure = posterior.counts, self.structure
        of_weights = self.weight_prior.divergence(counts)
        prior = self.component_prior
        return of_weights + prior.divergence(structure, posterior, counts, self.reg_covar)
