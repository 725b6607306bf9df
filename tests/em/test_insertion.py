"""A new component goes where rows are explained worst and are together."""

import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose

from daskgmm import sweep
from daskgmm.em.selection.insertion import inserted
from daskgmm.gaussian.components.merging import covariance_matrices
from daskgmm.gaussian.covariance.structures import STRUCTURES
from tests.gaussian.mixtures import parameters_of

pytestmark = pytest.mark.slow

RANDOM = np.random.default_rng(2)
MAIN, RARE = RANDOM.normal(size=(5000, 3)), RANDOM.normal(size=(10, 3)) * 0.1 + 8
X = np.concatenate([MAIN, RARE])
COUNTS = np.ones(len(X))


def one_component(name):
    return parameters_of(name, [1.0], [X.mean(0)], [np.cov(X.T)])


def densities(x):
    return -0.5 * (x**2).sum(axis=1)


@pytest.mark.parametrize("name", STRUCTURES)
def test_it_is_the_rare_cluster(name):
    found = inserted(one_component(name), X, COUNTS, densities(X), 1e-6)
    assert_allclose(found.weights, [1 - 10 / len(X), 10 / len(X)])
    assert_allclose(found.means[1], RARE.mean(0))
    if not STRUCTURES[name].shared:
        assert np.linalg.eigvalsh(covariance_matrices(found)[1])[-1] < 2.0


def test_weights_count():
    counts = np.concatenate([np.ones(5000), np.full(10, 3.0)])
    found = inserted(one_component("full"), X, counts, densities(X), 1e-6)
    assert_allclose(found.weights[1], 30 / 5030)


def test_a_single_far_row_is_no_cluster():
    x = np.concatenate([X, [[1e6, 0.0, 0.0]]])
    parameters = parameters_of("full", [1.0], [X.mean(0)], [np.cov(X.T)])
    found = inserted(parameters, x, np.ones(len(x)), densities(x), 1e-6)
    assert found is None or np.abs(found.means[1]).max() < 1e5


def test_rows_that_are_all_alike_have_none():
    x = np.full((50, 3), 2.0)
    assert inserted(one_component("full"), x, np.ones(50), np.zeros(50), 1e-6) is None


@pytest.mark.parametrize("name", ["full", "diag", "VEV"])
def test_it_is_no_narrower_than_an_m_step_makes_it(name):
    """Rows of 1e-156 have variances of 1e-312, whose inverses overflow."""
    small = parameters_of(name, [1.0], [np.zeros(3)], [np.eye(3)])
    found = inserted(small, 1e-156 * X, COUNTS, densities(X), 1e-12)
    assert_allclose(covariance_matrices(found)[1], 1e-12 * np.eye(3), atol=1e-25)


@pytest.mark.parametrize("seed", range(2))
def test_sweeps_find_rare_clusters(seed):
    random = np.random.default_rng(2)
    x = np.concatenate([random.normal(size=(60_000, 3)), random.normal(size=(10, 3)) * 0.1 + 8])
    random.shuffle(x)
    found = sweep(x, range(1, 4), random_state=seed)
    assert found.best().n_components == 2
    assert found.best().weights_.min() == pytest.approx(10 / 60_010, rel=1e-3)


@pytest.mark.parametrize("options", [{}, {"tails": "t"}])
def test_sweeps_of_tiny_rows_overflow_nowhere(options):
    random = np.random.default_rng(1)
    x = 1e-156 * (random.normal(size=(39, 2)) + np.repeat([[0.0], [4.0]], [20, 19], axis=0))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", RuntimeWarning)
        found = sweep(x, [1, 2], ["diag", "full"], reg_covar=1e-12, random_state=0, **options)
        best = found.best()
    assert best.n_components == 1
    assert_allclose(best.covariances_, [[1e-12, 1e-12]])
