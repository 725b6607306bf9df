"""The M-step where it has to give way."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose

from daskgmm.gaussian import STRUCTURES, maximise
from daskgmm.gaussian.kernels.kernel import Sums
from daskgmm.gaussian.kernels.whitened import accumulate_about
from daskgmm.gaussian.m_step import estimate
from daskgmm.gaussian.moments import Moments
from tests.gaussian.mixtures import parameters_of


def statistics(structure_name, X, gamma):
    structure = STRUCTURES[structure_name]
    k, d = len(gamma), X.shape[1]
    sums = Sums.zeros(structure, k, d)
    points = np.zeros((k, d))
    accumulate_about(structure, points, X.T.copy(), gamma, sums)
    return Moments(sums.sums, points, sums.pooled, 0.0, float(gamma.sum()), len(X))


def previous(structure_name, k, d):
    means = np.arange(k * d, dtype=float).reshape(k, d)
    return parameters_of(structure_name, np.full(k, 1 / k), means, [np.eye(d) * 7.0] * k)


X = np.random.default_rng(0).normal(size=(50, 2))


@pytest.mark.parametrize("structure_name", STRUCTURES)
def test_a_component_without_rows_stays_where_it_was(structure_name):
    gamma = np.stack([np.ones(50), np.zeros(50)])
    old = previous(structure_name, 2, 2)
    step = maximise(statistics(structure_name, X, gamma), structure_name, 1e-6, old)
    assert step.empty == (1,)
    assert_allclose(step.parameters.means[1], old.means[1])
    assert_allclose(step.parameters.weights, [1, 0])
    if STRUCTURES[structure_name].free and not STRUCTURES[structure_name].shared:
        assert_allclose(step.parameters.covariances[1], old.covariances[1])
    assert_allclose(step.parameters.means[0], X.mean(0))


@pytest.mark.parametrize("structure_name", STRUCTURES)
def test_collinear_columns_of_a_large_scale_get_a_ridge(structure_name):
    rows = np.column_stack([X[:, 0], X[:, 0] * 3]) * 1e9
    old = previous(structure_name, 1, 2)
    step = maximise(statistics(structure_name, rows, np.ones((1, 50))), structure_name, 1e-6, old)
    # Variances alone cannot be collinear.
    assert bool(step.ridges) == (STRUCTURES[structure_name].precision.detail == 2)
    assert all(ridge < 1e-10 * np.var(rows) for ridge in step.ridges.values())
    assert np.isfinite(step.parameters.precisions_cholesky).all()


def far_line(size, seed):
    """Return the covariance of rows on a line, which is singular to rounding."""
    along = np.outer(np.random.default_rng(seed).normal(size=50), [1.0, 3.0, 2.0])
    return np.cov(size * along.T, bias=True) + 1e-6 * np.eye(3)


@pytest.mark.parametrize("name", [name for name in STRUCTURES if not STRUCTURES[name].shared])
@pytest.mark.parametrize("counts", [(1, 1, 1), (500, 1, 1), (1, 1, 500)])
@pytest.mark.parametrize("size", [1e6, 1e10])
def test_a_ridge_goes_to_the_component_that_is_singular(name, counts, size):
    """Beside small regular ones, whose shape it shares in some structures."""
    structure, own = STRUCTURES[name], np.random.default_rng(1).normal(size=(3, 40, 3))
    last = structure.precision.of_matrices(np.tile(np.eye(3), (3, 1, 1)))
    for singular in range(3):
        matrices = np.array([np.cov(rows.T, bias=True) for rows in own])
        matrices[singular] = far_line(size, singular)
        scatter = structure.scatter(last, np.array(counts, float), 3)
        scatter = replace(scatter, covariances=structure.statistic.form.of_matrices(matrices))
        found = estimate(structure, scatter, 1e-6, last, first=True)
        assert set(found.ridges) <= {singular}
        assert all(ridge < 1e-9 * np.trace(matrices[singular]) for ridge in found.ridges.values())
        assert np.isfinite(found.factors).all()
        # Eigenvalues of VEV are those of the other components, which are regular, if these suffice.
        if structure.precision.detail == 2 and size == 1e10 and name != "VEV":
            assert found.ridges


@pytest.mark.parametrize("structure_name", STRUCTURES)
def test_without_regularisation_the_start_must_not_be_singular(structure_name):
    same = statistics(structure_name, np.ones((50, 2)), np.ones((1, 50)))
    old = previous(structure_name, 1, 2)
    with pytest.raises(ValueError, match="ill-defined empirical covariance"):
        maximise(same, structure_name, 0.0, old, first=True)


@pytest.mark.parametrize("structure_name", STRUCTURES)
def test_without_regularisation_a_collapsed_component_keeps_its_covariance(structure_name):
    same = statistics(structure_name, np.ones((50, 2)), np.ones((1, 50)))
    old = previous(structure_name, 1, 2)
    step = maximise(same, structure_name, 0.0, old)
    assert step.collapsed == ((None,) if STRUCTURES[structure_name].shared else (0,))
    assert_allclose(step.parameters.covariances, old.covariances)
    assert_allclose(step.parameters.means, 1.0)


@pytest.mark.parametrize("name", STRUCTURES)
def test_a_variance_that_rounding_made_negative_is_raised_past_zero(name):
    """A series of ridges that are powers of 2 raises -1 to 0 exactly on its way."""
    structure = STRUCTURES[name]
    covariances = -np.ones(structure.covariance_shape(1, 1))
    scatter = structure.scatter(covariances, np.ones(1), 1)
    found = estimate(structure, scatter, 1e-6, -covariances, first=True)
    assert (found.covariances > 0).all()
    assert found.ridges
