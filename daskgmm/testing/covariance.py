"""Conformance tests for covariance structures."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.testing import assert_allclose

import daskgmm.gaussian.covariance.algebra.packed as packed
from daskgmm.arrays import Array
from daskgmm.gaussian.block import Block
from daskgmm.gaussian.charts.anchor import Anchor
from daskgmm.gaussian.components.merging import covariance_matrices
from daskgmm.gaussian.covariance.algebra.precision import Charted
from daskgmm.gaussian.covariance.structure import Structure
from daskgmm.gaussian.covariance.structures import STRUCTURES
from daskgmm.gaussian.kernels.kernel import Kernel
from daskgmm.gaussian.kernels.natural import NaturalKernel
from daskgmm.gaussian.kernels.numpy_backend import NumpyBackend
from daskgmm.gaussian.kernels.whitened import WhitenedKernel
from daskgmm.gaussian.m_step import maximise
from daskgmm.gaussian.moments import Moments
from daskgmm.gaussian.parameters import Parameters
from daskgmm.gaussian.priors.prior import PseudoMoments
from daskgmm.gaussian.priors.table import ConjugatePrior
from daskgmm.testing.mixtures import log_joint, random_mixture

K, D, N = 3, 4, 400

NEARBY, STEP = 8, 1e-2
"""Number of covariances that the M-step is compared with, and their distance from its own."""


class CovarianceTests:
    """Tests of a covariance structure.

    Attributes
    ----------
    structure : Structure
        An entry of `STRUCTURES`, under its name.
    loose : float
        By which factor its bounds of rounding may be larger than what they bound.
    precise : float
        Relative error of its M-step; larger if that is found by iteration.
    """

    structure: Structure

    loose: float = 1.0

    precise: float = 1e-9

    def parameters(self, seed: int = 0, k: int = K) -> Parameters:
        """Return a mixture of the structure."""
        return random_mixture(self.structure, k, D, seed)

    def rows(self, seed: int = 0) -> Array:
        """Return rows in the region where the components overlap."""
        return 2 * np.random.default_rng(seed).normal(size=(N, D))

    def test_it_is_in_the_table(self) -> None:
        """Files and the command line find it there by name."""
        assert type(STRUCTURES[self.structure.name]) is type(self.structure)

    def test_shapes_of_scikit_learn_go_there_and_back(self) -> None:
        """Arrays in scikit-learn's shape, as in files and estimators, give the same arrays back."""
        for k in (1, K):
            covariances = self.parameters(k=k).covariances
            assert covariances.shape == self.structure.covariance_shape(k, D)
            external = self.structure.external(covariances, D)
            assert external.shape == self.structure.external_shape(k, D)
            back = self.structure.internal(external, k, D)
            np.testing.assert_array_equal(back, covariances)

    def test_factors_are_those_of_the_inverses(self) -> None:
        """U U^T, its determinant and its trace are those of the inverse matrix."""
        parameters, precision = self.parameters(), self.structure.precision
        factors, matrices = parameters.precisions_cholesky, covariance_matrices(parameters)
        inverses = np.linalg.inv(matrices[: len(factors)])
        precisions = precision.precisions(factors)
        assert_allclose(precision.precision_matrices(factors, D), inverses, atol=1e-12)
        assert_allclose(precision.covariances(factors), parameters.covariances, rtol=1e-12)
        assert_allclose(precision.factorise_precisions(precisions), factors, rtol=1e-10, atol=1e-12)
        assert_allclose(precision.traces(factors, D), np.trace(inverses, axis1=1, axis2=2))
        half = 0.5 * np.linalg.slogdet(inverses)[1]
        assert_allclose(precision.log_determinants(factors, D), half, atol=1e-12)
        assert precision.are_positive(precisions)

    def test_covariances_have_matrices(self) -> None:
        """Covariances go to matrices and back; a diagonal is raised by what is added to it."""
        parameters, precision = self.parameters(), self.structure.precision
        covariances = parameters.covariances
        matrices = precision.matrices(covariances, D)
        back, atol = precision.of_matrices(matrices), 1e-3 * self.precise
        assert_allclose(back, covariances, rtol=1e-12, atol=atol)
        assert_allclose(precision.diagonals(covariances, D), np.diagonal(matrices, 0, 1, 2))
        for index, added in ((None, np.ones(len(covariances))), (0, np.eye(len(covariances))[0])):
            raised = precision.matrices(precision.raised(covariances, 0.5, index), D)
            assert_allclose(raised, matrices + 0.5 * added[:, None, None] * np.eye(D), rtol=1e-12)

    def test_bounds_of_rounding_are_those_of_the_matrices(self) -> None:
        """The guard of the fast kernel depends on them."""
        factors = self.parameters().precisions_cholesky
        magnitudes = np.abs(np.linalg.inv(covariance_matrices(self.parameters())))
        points = np.random.default_rng(0).normal(size=(K, D)), np.full((1, D), 3.0)
        for bound, v in zip(
            self.structure.precision.bilinear_bounds(factors, *points), points, strict=True
        ):
            size = np.abs(np.tile(v, (K // len(v), 1)))
            exact = np.einsum("kij,ki,kj->k", magnitudes, size, size)
            assert (exact * (1 - 1e-9) <= bound).all()
            assert bound.max() <= self.loose * exact.max() * (1 + 1e-9)

    def test_rows_are_drawn_from_it(self) -> None:
        """The covariance of many drawn rows is the covariance of the component."""
        covariances = self.parameters().covariances
        random, n, mean = np.random.RandomState(0), 200_000, np.full(D, 10.0)
        rows = self.structure.precision.draw(mean, covariances[0], n, random)
        matrix = self.structure.precision.matrices(covariances, D)[0]
        assert_allclose(rows.mean(0), mean, atol=6 * np.sqrt(matrix.max() / n))
        assert_allclose(np.cov(rows.T), matrix, atol=6 * 2 * matrix.max() / np.sqrt(n))

    def test_densities_are_those_of_normal_distributions(self) -> None:
        """Both kernels have the densities of SciPy."""
        parameters, rows = self.parameters(), self.rows()
        expected = log_joint(parameters, rows)
        for kernel in self._kernels(parameters, rows):
            with kernel.workspace(N) as work:
                tile = kernel.bind(work, N)
                tile.rows[:] = (rows - kernel.center).T
                tile.log_joint()
                assert_allclose(tile.joint + tile.shared_term(), expected, rtol=1e-9, atol=1e-9)

    def test_the_m_step_is_the_most_likely(self) -> None:
        """No covariances near those of the M-step have a higher expected log-likelihood.

        With the moments of a prior, no higher log posterior density.
        """
        parameters, rows = self.parameters(), self.rows()
        gamma, random = self._responsibilities(parameters, rows), np.random.default_rng(1)
        about = np.full(D, 0.5), 3.0 * np.eye(D)
        strong = ConjugatePrior(mean_count=50.0).pseudo_moments(K, *about, self.structure)
        strong = strong.scaled(10.0)
        for prior in (None,) if self.structure.constrains_means else (None, strong):

            def objective(at: Parameters, prior: PseudoMoments | None = prior) -> float:
                density = 0.0 if prior is None else prior.log_density(at, self.structure, 0.0)
                return float((gamma * self._log_joint(at, rows)).sum()) + density

            fitted = self._step(parameters, rows, prior)
            if prior is None:
                means = gamma @ rows / gamma.sum(1)[:, None]
                means = self.structure.placed(means, gamma.mean(1), fitted.covariances)
                assert_allclose(fitted.weights, gamma.mean(1), rtol=1e-9)
                assert_allclose(fitted.means, means, rtol=10 * self.precise, atol=self.precise)
            best = objective(fitted)
            for factor in (1 - STEP, 1 + STEP):
                assert objective(self._scaled(fitted, factor)) < best
            for _ in range(NEARBY):
                # M-steps of slightly different rows give feasible covariances.
                moved = rows + STEP * random.normal(size=rows.shape)
                other = self._step(parameters, moved, prior)
                near = replace(other, weights=fitted.weights)
                if not self.structure.constrains_means:
                    near = replace(near, means=fitted.means)
                assert objective(near) < best
                if self.structure.free:
                    assert objective(self._nearby(fitted, random)) < best

    def test_moments_of_parts_add_up(self) -> None:
        """The M-step of a sum of moments is that of all rows."""
        parameters, rows = self.parameters(), self.rows()
        whole = self._moments(parameters, rows)
        one, other = self._moments(parameters, rows[:150]), self._moments(parameters, rows[150:])
        name = self.structure.name
        for part in (one + other, other + one):
            assert_allclose(
                maximise(part, name, 0.0, parameters).parameters.covariances,
                maximise(whole, name, 0.0, parameters).parameters.covariances,
                rtol=self.precise,
            )

    def test_components_may_come_in_any_order(self) -> None:
        """The M-step of permuted components is a permutation of that of the others."""
        parameters, rows, order = self.parameters(), self.rows(), np.array([2, 0, 1])
        own = slice(None) if self.structure.shared else order
        permuted = replace(
            parameters,
            weights=parameters.weights[order],
            means=parameters.means[order],
            covariances=parameters.covariances[own],
            precisions_cholesky=parameters.precisions_cholesky[own],
        )
        one, other = self._step(parameters, rows), self._step(permuted, rows)
        rtol, atol = self.precise, 1e-3 * self.precise
        assert_allclose(other.means, one.means[order], rtol=rtol, atol=atol)
        assert_allclose(other.covariances, one.covariances[own], rtol=rtol, atol=atol)

    def test_rows_may_be_moved_and_scaled(self) -> None:
        """The M-step of c x + t has the means c mu + t and the covariances c^2 Sigma."""
        parameters, rows, scale = self.parameters(), self.rows(), 3.0
        move = np.arange(D) * 10.0
        moved = replace(
            parameters,
            means=scale * parameters.means + move,
            covariances=scale**2 * parameters.covariances,
            precisions_cholesky=parameters.precisions_cholesky / scale,
        )
        one, other = self._step(parameters, rows), self._step(moved, scale * rows + move)
        assert_allclose(other.means, scale * one.means + move, rtol=1e-8)
        assert_allclose(other.covariances, scale**2 * one.covariances, rtol=1e-7, atol=1e-9)

    def test_its_coordinates_are_as_many_as_its_parameters(self) -> None:
        """Criteria count as many parameters as covariances have directions to move in.

        That is the rank of M-steps of rows that are moved at random.
        """
        count, precision = self.structure.n_covariance_parameters(K, D), self.structure.precision
        if isinstance(precision, Charted):
            factors = self.parameters().precisions_cholesky
            scale = precision.relative_scale(precision.relative(factors, factors), D)
            assert_allclose(scale, 0.0, atol=1e-12)
            assert_allclose(precision.absolute_factors(factors, scale, D), factors, rtol=1e-12)
            assert count == scale.size if self.structure.free else count < scale.size
        fitted, random = self._step(self.parameters(), self.rows()), np.random.default_rng(2)
        directions = []
        for _ in range(count + 4):
            moved = self.rows() + 1e-5 * random.normal(size=(N, D))
            near = self._step(self.parameters(), moved)
            directions.append(self._coordinates(fitted, near))
        assert np.linalg.matrix_rank(np.array(directions), rtol=1e-3) == count

    def test_the_gradient_is_that_of_the_likelihood(self) -> None:
        """The gradient about another mixture agrees with finite differences.

        Structures that are not free have none: the EM step stands for it.
        """
        if not self.structure.free:
            return
        rows, anchor, at = self.rows(), Anchor(self.parameters(1)), self.parameters(2)
        x, image = anchor.coordinates(at), self._step(at, rows)
        gradient = anchor.gradient(at, image, np.tile(image.weights, (3, 1)))
        step = 1e-5 * np.eye(len(x))
        ends = [
            [self._likelihood(anchor.parameters(x + sign * unit), rows) for unit in step]
            for sign in (1, -1)
        ]
        differences = (np.array(ends[0]) - np.array(ends[1])) / 2e-5
        assert_allclose(gradient, differences, rtol=1e-4, atol=1e-7)

    def _coordinates(self, anchor: Parameters, parameters: Parameters) -> Array:
        """Return covariances as a vector: in the coordinates of acceleration if there are some."""
        precision = self.structure.precision
        if not isinstance(precision, Charted):
            change = parameters.covariances, anchor.covariances
            one, other = (packed.pack(precision.matrices(each, D)) for each in change)
            return np.asarray(one - other).ravel()
        factors = anchor.precisions_cholesky, parameters.precisions_cholesky
        return precision.relative_scale(precision.relative(*factors), D).ravel()

    def _likelihood(self, parameters: Parameters | None, rows: Array) -> float:
        assert parameters is not None
        moments = self._moments(parameters, rows)
        return moments.log_likelihood / moments.weight

    def _scaled(self, parameters: Parameters, factor: float) -> Parameters:
        """Return the mixture with all covariances times a factor."""
        return replace(
            parameters,
            covariances=factor * parameters.covariances,
            precisions_cholesky=parameters.precisions_cholesky / np.sqrt(factor),
        )

    def _nearby(self, parameters: Parameters, random: np.random.Generator) -> Parameters:
        """Return the mixture with covariances a step away in the coordinates of acceleration."""
        precision, factors = self.structure.precision, parameters.precisions_cholesky
        assert isinstance(precision, Charted), "a structure that is free has coordinates"
        scale = precision.relative_scale(precision.relative(factors, factors), D)
        moved = scale + STEP * random.normal(size=scale.shape)
        near = precision.absolute_factors(factors, moved, D)
        covariances = precision.covariances(near)
        return replace(parameters, covariances=covariances, precisions_cholesky=near)

    def _kernels(self, parameters: Parameters, rows: Array) -> list[Kernel]:
        return [NaturalKernel.of(parameters, rows.mean(0)), WhitenedKernel.of(parameters)]

    def _moments(self, parameters: Parameters, rows: Array) -> Moments:
        blocks = iter([Block(rows)])
        return NumpyBackend().moments([WhitenedKernel.of(parameters)], blocks)[0]

    def _step(
        self, parameters: Parameters, rows: Array, prior: PseudoMoments | None = None
    ) -> Parameters:
        moments = self._moments(parameters, rows)
        if prior is not None:
            moments = prior.added_to(moments, self.structure)
        return maximise(moments, self.structure.name, 0.0, parameters).parameters

    def _log_joint(self, parameters: Parameters, rows: Array) -> Array:
        kernel = WhitenedKernel.of(parameters)
        with kernel.workspace(len(rows)) as work:
            tile = kernel.bind(work, len(rows))
            tile.rows[:] = rows.T
            tile.log_joint()
            return tile.joint.copy()

    def _responsibilities(self, parameters: Parameters, rows: Array) -> Array:
        joint = self._log_joint(parameters, rows)
        gamma: Array = np.exp(joint - joint.max(0))
        gamma /= gamma.sum(0)
        return gamma
