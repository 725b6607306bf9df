"""Posteriors of weights, means and precisions, against densities of SciPy."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.integrate import quad
from scipy.stats import beta, dirichlet, wishart

from daskgmm.gaussian import STRUCTURES, Parameters
from daskgmm.gaussian.priors.normal_wishart import NormalWishart, check_degrees, expected_offsets
from daskgmm.gaussian.priors.weight_prior import WEIGHT_PRIORS, Dirichlet, DirichletProcess

COUNTS = np.array([7.5, 0.0, 2.25])
DRAWS = 4_000


def expectation(density, function):
    return quad(lambda v: density.pdf(v) * function(v), 0, 1, limit=200)[0]


def test_a_dirichlet_process_is_one_beta_distribution_a_component():
    prior = DirichletProcess(0.7)
    a, b = prior.posterior(COUNTS)
    assert_allclose(a, [8.5, 1.0, 3.25])
    assert_allclose(b, [0.7 + 2.25, 0.7 + 2.25, 0.7])
    sticks = [beta(*pair) for pair in zip(a, b, strict=True)]
    taken = np.array([expectation(stick, np.log) for stick in sticks])
    left = np.array([expectation(stick, lambda v: np.log1p(-v)) for stick in sticks])
    expected = taken + np.concatenate([[0.0], np.cumsum(left)[:-1]])
    assert_allclose(prior.log_weights(a, b), expected, rtol=1e-6)
    first = beta(1.0, 0.7)
    divergence = sum(
        expectation(stick, lambda v, stick=stick: stick.logpdf(v) - first.logpdf(v))
        for stick in sticks
    )
    assert_allclose(prior.divergence(COUNTS), divergence, rtol=1e-6)
    means = a / (a + b)
    weights = means * np.concatenate([[1.0], np.cumprod(1 - means)[:-1]])
    assert_allclose(prior.weights(a, b), weights / weights.sum())


def test_the_divergence_of_a_dirichlet_distribution():
    prior = Dirichlet(0.4)
    (alpha,) = prior.posterior(COUNTS[:2])
    # Of two components the first weight has a beta distribution.
    after, before = beta(*alpha), beta(0.4, 0.4)
    expected = expectation(after, lambda v: after.logpdf(v) - before.logpdf(v))
    assert_allclose(prior.divergence(COUNTS[:2]), expected, rtol=1e-5)
    assert_allclose(prior.weights(alpha), dirichlet(alpha).mean())


@pytest.mark.parametrize("name", WEIGHT_PRIORS)
@pytest.mark.parametrize("concentration", [1e-10, 1.0, 1e6])
def test_without_rows_the_posterior_is_the_prior(name, concentration):
    prior = WEIGHT_PRIORS[name](concentration)
    assert prior.divergence(np.zeros(4)) == pytest.approx(0.0, abs=1e-9)
    posterior = prior.posterior(np.zeros(4))
    assert np.isfinite(prior.log_weights(*posterior)).all()
    assert_allclose(prior.weights(*posterior).sum(), 1.0)


@pytest.mark.parametrize("name", WEIGHT_PRIORS)
def test_rows_never_lower_the_divergence_below_zero(name):
    random = np.random.default_rng(0)
    for _ in range(50):
        prior = WEIGHT_PRIORS[name](10.0 ** random.integers(-6, 6))
        counts = random.gamma(0.3, size=5) * 10.0 ** random.integers(-3, 9)
        assert prior.divergence(counts) >= -1e-9


def posterior_of(structure, prior, counts, random):
    """Return parameters of k components, any of which a posterior may have."""
    k, d = len(counts), len(prior.mean)
    factors = random.normal(size=(structure.n_covariances(k), d, d)) + 2 * np.eye(d)
    covariances = structure.precision.of_matrices(factors @ factors.transpose(0, 2, 1))
    means = random.normal(size=(k, d))
    weights = np.full(k, 1 / k)
    own = structure.precision.factorise(covariances)
    return Parameters(structure.name, weights, means, covariances, own)


def log_normal(x, mean, precisions):
    distances = np.einsum("ni,nij,nj->n", x - mean, precisions, x - mean)
    return 0.5 * (np.linalg.slogdet(precisions / (2 * np.pi))[1] - distances)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["full", "tied", "diag", "spherical"])
def test_the_divergence_of_means_and_precisions_is_that_of_draws(name):
    structure, random = STRUCTURES[name], np.random.default_rng(3)
    counts, d = np.array([4.0, 0.5]), 2
    scale = structure.precision.matrices(
        structure.precision.of_matrices(np.array([[[2.0, 0.5], [0.5, 1.0]]])), d
    )[0]
    prior = NormalWishart(0.3, np.array([0.5, -1.0]), 3.5, scale)
    parameters = posterior_of(structure, prior, counts, random)
    nu = np.broadcast_to(prior.degrees_of_freedom(structure, counts), (2,))
    precisions = structure.precision.matrices(
        structure.precision.precisions(parameters.precisions_cholesky), d
    )
    found = np.zeros(DRAWS)
    for k, count in enumerate(counts):
        own = precisions[k if len(precisions) > 1 else 0]
        after, before = wishart(nu[k], own / nu[k]), wishart(3.5, np.linalg.inv(scale))
        draws = after.rvs(DRAWS, random_state=k)
        beta_k = 0.3 + count
        factors = np.linalg.cholesky(np.linalg.inv(draws))
        means = parameters.means[k] + np.einsum(
            "nij,nj->ni", factors, random.normal(size=(DRAWS, d)) / np.sqrt(beta_k)
        )
        found += log_normal(means, parameters.means[k], beta_k * draws)
        found -= log_normal(means, prior.mean, 0.3 * draws)
        turned = np.moveaxis(draws, 0, -1)
        found += after.logpdf(turned) - before.logpdf(turned)
    divergence = prior.divergence(structure, parameters, counts, reg_covar=0.1)
    assert abs(found.mean() - divergence) < 4 * found.std() / np.sqrt(DRAWS)


def test_offsets_are_those_of_expected_log_densities():
    nu, beta_0, d = 5.5, 2.0, 3
    draws = wishart(nu, np.eye(d) / nu).rvs(DRAWS, random_state=0)
    # At the mean: E log |Lambda| / 2, and what the spread of the mean takes.
    found = 0.5 * np.linalg.slogdet(draws)[1] - 0.5 * d / beta_0
    offset = expected_offsets(np.array([beta_0]), np.array([nu]), d)[0]
    assert abs(found.mean() - offset) < 4 * found.std() / np.sqrt(DRAWS)


def test_degrees_of_freedom_of_no_distribution_are_refused():
    check_degrees(np.nextafter(2.0, 3.0), 3)
    with pytest.raises(ValueError, match=r"should be greater than 2, but got 2\.000"):
        check_degrees(2.0, 3)
    with pytest.raises(ValueError, match="greater than 1"):
        NormalWishart(1.0, np.zeros(2), 1.0, np.eye(2))
