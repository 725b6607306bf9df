"""Conformance tests for priors."""

from __future__ import annotations

from dataclasses import fields, replace
from itertools import product

import numpy as np
from numpy.testing import assert_allclose, assert_array_equal

from daskgmm.arrays import Array
from daskgmm.companions import ALONE
from daskgmm.em.events import silence
from daskgmm.em.models.model import MixtureModel
from daskgmm.em.settings import Settings
from daskgmm.em.survey.first_pass import survey_rows
from daskgmm.em.survey.survey import Survey
from daskgmm.gaussian.block import Block
from daskgmm.gaussian.charts.anchor import Anchor
from daskgmm.gaussian.covariance.structures import STRUCTURES
from daskgmm.gaussian.kernels.backends import BACKENDS
from daskgmm.gaussian.moments import Moments
from daskgmm.gaussian.parameters import Parameters
from daskgmm.gaussian.priors.prior import Prior
from daskgmm.gaussian.priors.table import PRIORS
from daskgmm.passes.dataset import Dataset
from daskgmm.rows.arrays import ArrayRows
from daskgmm.testing.mixtures import random_mixture

K, D, N = 3, 3, 60


class PriorTests:
    """Tests of a prior with every covariance structure of the table.

    Attributes
    ----------
    name : str
        Key of an entry of `PRIORS`.
    prior : Prior
        The entry.
    """

    name: str
    prior: Prior

    def rows(self) -> Array:
        """Return few rows, so that the prior has an effect."""
        return 2 * np.random.default_rng(0).normal(size=(N, D))

    def model(self, structure: str, reg_covar: float = 1e-3) -> tuple[MixtureModel, Survey]:
        """Return a model with the prior, and the survey of the rows."""
        settings = Settings(
            n_components=K, structure=structure, tol=1e-3, reg_covar=reg_covar, max_iter=100,
            n_init=1, init_params="kmeans", accelerated=True, prior=self.prior,
        )  # fmt: skip
        data = Dataset.of(ArrayRows(self.rows()), ALONE, K, 1 + D)
        survey = survey_rows(data, None, silence)
        return MixtureModel.of(settings, survey), survey

    def parameters(self, structure: str, seed: int = 0) -> Parameters:
        """Return a mixture of a structure."""
        return random_mixture(STRUCTURES[structure], K, D, seed)

    def test_it_is_in_the_table(self) -> None:
        """Files and the command line find it there by name."""
        assert PRIORS[self.name] is self.prior
        assert self.prior.name == self.name

    def test_it_depends_on_nothing_but_its_arguments(self) -> None:
        """Every process of a fit, and a fit that goes on, make it anew."""
        about = np.ones(D), 2.0 * np.eye(D)
        for structure in STRUCTURES.values():
            one, other = (self.prior.pseudo_moments(K, *about, structure) for _ in range(2))
            for field in fields(one):
                assert_array_equal(getattr(one, field.name), getattr(other, field.name))

    def test_the_mode_is_raised_by_every_step(self) -> None:
        """EM never lowers the objective, if a component has no rows either."""
        for structure, far in product(STRUCTURES, (False, True)):
            model, _ = self.model(structure)
            parameters, before = self.parameters(structure), -np.inf
            if far:
                parameters = replace(
                    parameters, means=parameters.means + np.array([[0], [0], [1e4]])
                )
            for _ in range(15):
                moments = self._moments(model, parameters)
                objective = model.objective(moments, parameters)
                assert objective >= before - 1e-12, structure
                before = objective
                parameters = model.step(model.complete(moments), parameters).parameters

    def test_the_gradient_is_that_of_the_objective(self) -> None:
        """The gradient in the coordinates of acceleration agrees with finite differences."""
        for structure in (entry.name for entry in STRUCTURES.values() if entry.free):
            model, _ = self.model(structure)
            anchor, at = Anchor(self.parameters(structure, 1)), self.parameters(structure, 2)
            moments = self._moments(model, at)
            complete = model.complete(moments)
            image = model.step(complete, at).parameters
            shares = np.stack([complete.counts, complete.mean_counts, complete.scale_counts])
            gradient = anchor.gradient(at, image, shares / moments.weight)
            x, step = anchor.coordinates(at), 1e-5
            for index, unit in enumerate(step * np.eye(len(x))):
                ends = [
                    self._objective(model, anchor.parameters(x + sign * unit)) for sign in (1, -1)
                ]
                difference = (ends[0] - ends[1]) / (2 * step)
                assert_allclose(gradient[index], difference, rtol=1e-4, atol=1e-7)

    def test_moments_may_be_about_any_points(self) -> None:
        """The mode does not depend on the reference points of the moments."""
        for structure in STRUCTURES:
            model, _ = self.model(structure)
            at = self.parameters(structure)
            one = model.step(model.complete(self._moments(model, at)), at).parameters
            kernel = model.kernel_about(at, at.means + 1.0)
            (moments,) = BACKENDS["numpy"].moments([kernel], iter([Block(self.rows())]))
            other = model.step(model.complete(moments), at).parameters
            assert_allclose(other.means, one.means, rtol=1e-8, atol=1e-10)
            assert_allclose(other.covariances, one.covariances, rtol=1e-7, atol=1e-10)

    def _moments(self, model: MixtureModel, parameters: Parameters) -> Moments:
        kernel = model.kernel_about(parameters, parameters.means)
        return BACKENDS["numpy"].moments([kernel], iter([Block(self.rows())]))[0]

    def _objective(self, model: MixtureModel, parameters: Parameters | None) -> float:
        assert parameters is not None
        return model.objective(self._moments(model, parameters), parameters)
