"""Mixtures of Student-t components: right values, recovery, and what is Gaussian in them."""

from functools import lru_cache

import dask
import dask.array as da
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import minimize
from scipy.stats import f as f_distribution
from scipy.stats import kstest, multivariate_t

from daskgmm import GaussianMixture
from daskgmm.gaussian import STRUCTURES
from daskgmm.gaussian.components.merging import covariance_matrices

LARGEST = 1000.0


def fitted(x, k=1, **settings):
    return GaussianMixture(k, tails="t", random_state=0, **settings).fit(x)


def drawn(nu, n=4000, seed=0, mean=(0.0, 0.0), scatter=((1.0, 0.4), (0.4, 2.0))):
    return multivariate_t(np.array(mean), np.array(scatter), df=nu, seed=seed).rvs(n)


def log_joint_by_scipy(mixture, x):
    parts = zip(
        mixture.weights_,
        mixture.means_,
        covariance_matrices(mixture._parameters()),
        mixture.tail_degrees_,
        strict=True,
    )
    return np.array(
        [
            np.log(weight) + multivariate_t(mean, scatter, df=nu).logpdf(x)
            for weight, mean, scatter, nu in parts
        ]
    )


def best_by_optimisation(x):
    """Log-likelihood and parameters of one bivariate component, by a general optimiser."""

    def unpacked(v):
        factor = np.array([[np.exp(v[2]), 0.0], [v[3], np.exp(v[4])]])
        return v[:2], factor @ factor.T, np.exp(v[5])

    def loss(v):
        mean, scatter, nu = unpacked(v)
        return -multivariate_t(mean, scatter, df=nu).logpdf(x).mean()

    first = np.array([*np.median(x, axis=0), 0.0, 0.0, 0.0, 1.0])
    found = minimize(loss, first, method="BFGS", options={"gtol": 1e-9})
    return -found.fun, *unpacked(found.x)


@pytest.mark.parametrize("nu", [1.6, 4.0, 15.0])
def test_one_component_is_the_most_likely(nu):
    x = drawn(nu)
    mixture = fitted(x, tol=1e-8, max_iter=500, reg_covar=0.0)
    best, mean, scatter, degrees = best_by_optimisation(x)
    assert mixture.score(x) >= best - 1e-9
    assert_allclose(mixture.means_[0], mean, atol=1e-4)
    assert_allclose(mixture.covariances_[0], scatter, atol=1e-3)
    assert_allclose(mixture.tail_degrees_, degrees, rtol=1e-3)


def test_the_cauchy_limit_bounds_the_degrees_of_freedom():
    mixture = fitted(drawn(0.5))
    assert_allclose(mixture.tail_degrees_, 1.0)
    assert mixture.converged_


@pytest.mark.slow
@pytest.mark.parametrize("structure", STRUCTURES)
def test_degrees_of_freedom_are_recovered_in_every_structure(structure):
    spheres = dict.fromkeys(["spherical", "EII"], np.eye(2))
    scatter = spheres.get(structure, np.diag([1.0, 2.0]))
    parts = [
        drawn(nu, seed=seed, mean=(mean, 0.0), scatter=scatter)
        for seed, (nu, mean) in enumerate([(3.0, 0.0), (8.0, 20.0)])
    ]
    cheap = {"init_params": "k-means++", "n_init": 1}
    mixture = fitted(np.concatenate(parts), 2, covariance_type=structure, tol=1e-5, **cheap)
    mixture.sort_components()
    order = np.argsort(mixture.means_[:, 0])
    for k, nu, part in zip(order, (3.0, 8.0), parts, strict=True):
        assert abs(mixture.tail_degrees_[k] - nu) < 3 * standard_error(nu, len(part)), structure
    assert_allclose(mixture.means_[order], [[0, 0], [20, 0]], atol=3 * 1.5 * 2 / np.sqrt(4000))
    matrices = covariance_matrices(mixture._parameters())
    assert_allclose(matrices, np.broadcast_to(scatter, matrices.shape), atol=0.25)


@lru_cache
def standard_error(nu, n, d=2):
    """Standard error of nu with the scatter estimated, from the curvature of a large sample."""
    x = drawn(nu, 100_000, seed=99, scatter=np.eye(d))

    def mean(log_nu, log_scale):
        scatter = np.exp(log_scale) * np.eye(d)
        return multivariate_t(np.zeros(d), scatter, df=nu * np.exp(log_nu)).logpdf(x).mean()

    h = 0.05
    center = mean(0, 0)
    a = -(mean(h, 0) + mean(-h, 0) - 2 * center) / h**2
    c = -(mean(0, h) + mean(0, -h) - 2 * center) / h**2
    b = -(mean(h, h) + mean(-h, -h) - mean(h, -h) - mean(-h, h)) / (4 * h**2)
    return nu / np.sqrt(n * (a - b * b / c))


@pytest.mark.slow
@pytest.mark.parametrize("structure", ["full", "tied", "EVE", "diag", "EII"])
def test_densities_and_posteriors_are_those_of_scipy(structure):
    x = np.concatenate([drawn(2.0, 500), drawn(9.0, 500, 1, (7.0, 0.0))])
    mixture = fitted(x, 2, covariance_type=structure, init_params="k-means++")
    rows = np.concatenate([x, [[1e3, -1e3], [1e9, 0.0]]])
    joint = log_joint_by_scipy(mixture, rows)
    densities = np.logaddexp.reduce(joint, axis=0)
    assert_allclose(mixture.score_samples(rows), densities, rtol=1e-9)
    assert_allclose(mixture.predict_proba(rows), np.exp(joint - densities).T, atol=1e-8)
    assert_array_equal(mixture.predict(rows), joint.argmax(axis=0))
    lazy = da.from_array(rows, chunks=(300, 2))
    assert_allclose(mixture.score_samples(lazy).compute(), densities, rtol=1e-9)
    assert_allclose(mixture.score(lazy), densities.mean(), rtol=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("d", [1, 2, 30])
def test_gaussian_rows_cost_next_to_nothing(d):
    random = np.random.default_rng(3)
    x = np.concatenate([random.normal(size=(3000, d)), random.normal(9.0, 0.5, (3000, d))])
    cheap = {"init_params": "k-means++", "n_init": 1}
    mixture = fitted(x, 2, **cheap)
    plain = GaussianMixture(2, random_state=0, **cheap).fit(x)
    assert mixture.score(x) > plain.score(x) - 0.01
    # Rows with fewer far ones than a Gaussian has: nu goes to its upper bound.
    clipped = x[np.abs(plain.score_samples(x) - plain.score(x)) < 3 * np.sqrt(d)]
    bound = fitted(clipped, 2, **cheap)
    assert_array_equal(bound.tail_degrees_, np.full(2, LARGEST))
    plain = GaussianMixture(2, random_state=0, **cheap).fit(clipped)
    assert bound.score(clipped) > plain.score(clipped) - 0.01


@pytest.mark.slow
def test_rows_are_drawn_from_student_t_distributions():
    x = np.concatenate([drawn(3.0, 2000), drawn(30.0, 2000, 1, (15.0, 0.0))])
    mixture = fitted(x, 2)
    rows, labels = mixture.sample(20_000)
    for k in range(2):
        z = rows[labels == k] - mixture.means_[k]
        squares = np.einsum("ni,ij,nj->n", z, mixture.precisions_[k], z)
        assert kstest(squares / 2, f_distribution(2, mixture.tail_degrees_[k]).cdf).pvalue > 1e-3
    again = mixture.sample(20_000)[0]
    assert_array_equal(rows, again)


@pytest.mark.slow
def test_the_bits_are_those_of_any_number_of_threads():
    x = np.concatenate([drawn(3.0, 1500), drawn(9.0, 1500, 1, (7.0, 0.0))])
    lazy, found = da.from_array(x, chunks=(700, 2)), []
    for threads in (1, 2, 5):
        with dask.config.set(scheduler="threads", num_workers=threads):
            found.append(fitted(lazy, 2, init_params="k-means++"))
    for other in found[1:]:
        assert_array_equal(other.tail_degrees_, found[0].tail_degrees_)
        assert_array_equal(other.means_, found[0].means_)
        assert_array_equal(other.lower_bounds_, found[0].lower_bounds_)


@pytest.mark.slow
def test_coordinates_and_units_of_columns_change_nothing():
    x = np.concatenate([drawn(3.0, 1500), drawn(9.0, 1500, 1, (9.0, 0.0))])
    closely = {"tol": 1e-7, "reg_covar": 0.0, "max_iter": 500, "init_params": "k-means++"}
    plain = fitted(x, 2, **closely).sort_components()
    scaled = fitted(x * [1e-3, 1e4] + [5.0, 1e6], 2, **closely)
    axes = fitted(x, 2, standardise=True, pca=2, **closely)
    for other in (scaled.sort_components(), axes.sort_components()):
        assert_allclose(other.tail_degrees_, plain.tail_degrees_, rtol=1e-3)
        assert_allclose(other.weights_, plain.weights_, rtol=1e-5)


def test_a_mixture_with_tails_is_not_adapted():
    with pytest.raises(ValueError, match="cannot be adapted"):
        fitted(drawn(3.0, 200)).map_adapt(drawn(3.0, 50))


@pytest.mark.slow
def test_a_bayesian_mixture_has_no_such_tails():
    from daskgmm import BayesianGaussianMixture
    from daskgmm.models.settings.outliers import fitted_outliers

    mixture = BayesianGaussianMixture(2, random_state=0).fit(drawn(5.0, 300))
    assert fitted_outliers(mixture) is None
    with pytest.raises(TypeError, match="tails"):
        BayesianGaussianMixture(2, tails="t")
