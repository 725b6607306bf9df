"""The variational bound: exact where the evidence is known, and never lower after a step."""

import itertools

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.special import gammaln, logsumexp, multigammaln
from scipy.stats import dirichlet, wishart

from daskgmm import BayesianGaussianMixture
from tests.em.test_monotone import nasty
from tests.oracle.data import STRUCTURES

TYPES = ("dirichlet_process", "dirichlet_distribution")
EPSILON = float(np.finfo(np.float64).eps)

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore::daskgmm.errors.DegenerateComponentWarning"),
    pytest.mark.filterwarnings("ignore::daskgmm.errors.ScaleWarning"),
    pytest.mark.filterwarnings("ignore::daskgmm.errors.ResolutionWarning"),
]


def log_evidence(x, mean, beta_0, nu_0, scale):
    """Return the log marginal density of rows of one component (Murphy 2007, equation 266)."""
    n, d = x.shape
    if n == 0:
        return 0.0
    beta, nu, centre = beta_0 + n, nu_0 + n, x.mean(axis=0)
    scatter = (x - centre).T @ (x - centre)
    gap = np.outer(centre - mean, centre - mean) * beta_0 * n / beta
    before, after = np.linalg.slogdet(scale)[1], np.linalg.slogdet(scale + scatter + gap)[1]
    return (
        multigammaln(nu / 2, d) - multigammaln(nu_0 / 2, d) - n * d / 2 * np.log(np.pi)
        + nu_0 / 2 * before - nu / 2 * after + d / 2 * np.log(beta_0 / beta)
    )  # fmt: skip


@pytest.mark.parametrize("prior_type", TYPES)
@pytest.mark.parametrize("d", [1, 3])
def test_of_one_component_it_is_the_evidence(d, prior_type):
    x = np.random.default_rng(0).normal(size=(40, d)) * 3 + 5
    prior = {
        "mean_precision_prior": 0.2,
        "mean_prior": np.full(d, 4.0),
        "degrees_of_freedom_prior": d + 1.5,
        "covariance_prior": 2.0 * np.eye(d) + 0.5,
    }
    mixture = BayesianGaussianMixture(
        weight_concentration_prior_type=prior_type, reg_covar=0, max_iter=3, tol=0, **prior
    ).fit(x)
    evidence = log_evidence(x, prior["mean_prior"], 0.2, d + 1.5, prior["covariance_prior"])
    # A Dirichlet process leaves weight beyond the last component.
    rest = {"dirichlet_process": -np.log1p(40.0), "dirichlet_distribution": 0.0}[prior_type]
    assert_allclose(mixture.lower_bound_ * 40, evidence + rest, rtol=1e-12)


def test_it_is_below_the_evidence_of_all_assignments_and_near_it():
    random = np.random.default_rng(1)
    x = np.concatenate([random.normal(size=(4, 1)), random.normal(size=(5, 1)) + 12])
    mean, scale = np.array([6.0]), np.array([[1.0]])
    mixture = BayesianGaussianMixture(
        2, weight_concentration_prior_type="dirichlet_distribution", random_state=0, tol=1e-8,
        weight_concentration_prior=0.5, mean_precision_prior=0.1, mean_prior=mean,
        degrees_of_freedom_prior=2.0, covariance_prior=scale, reg_covar=0,
    ).fit(x)  # fmt: skip
    terms = []
    for labels in itertools.product([0, 1], repeat=9):
        chosen = np.array(labels)
        counts = np.bincount(chosen, minlength=2)
        of_labels = gammaln(1.0) - gammaln(10.0) + (gammaln(0.5 + counts) - gammaln(0.5)).sum()
        of_rows = (log_evidence(x[chosen == k], mean, 0.1, 2.0, scale) for k in (0, 1))
        terms.append(of_labels + sum(of_rows))
    evidence, bound = logsumexp(terms), mixture.lower_bound_ * 9
    # Either component may be either cluster, which the posterior does not know.
    assert evidence - np.log(2) - 0.1 < bound < evidence - np.log(2) + 0.01


@pytest.mark.slow
@pytest.mark.parametrize("prior_type", TYPES)
@pytest.mark.parametrize("covariance_type", STRUCTURES)
def test_it_is_what_draws_from_the_posterior_give(covariance_type, prior_type):
    random = np.random.default_rng(2)
    x = np.concatenate([random.normal(size=(15, 2)), random.normal(size=(10, 2)) + 3])
    settings = {
        "covariance_type": covariance_type,
        "weight_concentration_prior_type": prior_type,
        "random_state": 0,
        "reg_covar": 0,
        "tol": 0,
    }
    posterior = BayesianGaussianMixture(2, max_iter=4, **settings).fit(x)
    measured = BayesianGaussianMixture(2, max_iter=5, **settings).fit(x).lower_bound_ * len(x)
    draws = 1500
    weights, weights_gap = draws_of_weights(posterior, draws, random)
    responsibilities = posterior.predict_proba(x)
    total = weights_gap - (responsibilities * np.log(responsibilities)).sum()
    total = total + np.log(weights) @ responsibilities.sum(axis=0)
    for k in range(2):
        means, precisions, gap = draws_of_component(posterior, k, draws, random)
        gaps = x[:, None] - means
        squares = np.einsum("nsi,sij,nsj->ns", gaps, precisions, gaps)
        densities = 0.5 * (np.linalg.slogdet(precisions / (2 * np.pi))[1] - squares)
        total = total + responsibilities[:, k] @ densities + gap
    assert abs(total.mean() - measured) < 4 * total.std() / np.sqrt(draws) + 1e-9


def draws_of_weights(posterior, draws, random):
    """Return weights (s, k) of the posterior, and log p - log q of each draw."""
    given = posterior.weight_concentration_
    if not isinstance(given, tuple):
        before, after = (
            dirichlet(np.full(2, posterior.weight_concentration_prior_)),
            dirichlet(given),
        )
        drawn = np.clip(after.rvs(draws, random_state=random), 1e-12, 1)
        drawn /= drawn.sum(axis=1, keepdims=True)
        return drawn, before.logpdf(drawn.T) - after.logpdf(drawn.T)
    a, b = given
    sticks = random.beta(a, b, size=(draws, 2))
    gamma = posterior.weight_concentration_prior_
    before = np.log(gamma) + (gamma - 1) * np.log1p(-sticks)
    normaliser = gammaln(a + b) - gammaln(a) - gammaln(b)
    after = normaliser + (a - 1) * np.log(sticks) + (b - 1) * np.log1p(-sticks)
    first, second = sticks.T
    return np.stack([first, (1 - first) * second], axis=1), (before - after).sum(axis=1)


def wishart_log_density(nu, scale, matrices):
    """Return that of SciPy, which takes one matrix after the other."""
    d = len(scale)
    traces = np.trace(np.linalg.solve(scale, matrices), axis1=1, axis2=2)
    determinants = (nu - d - 1) * np.linalg.slogdet(matrices)[1] - nu * np.linalg.slogdet(scale)[1]
    return 0.5 * (determinants - traces - nu * d * np.log(2)) - multigammaln(nu / 2, d)


def draws_of_component(posterior, k, draws, random):
    """Return means (s, d) and precisions (s, d, d) of the posterior, and log p - log q."""
    d = posterior.means_.shape[1]
    own = {
        "full": lambda p: p[k],
        "tied": lambda p: p,
        "diag": lambda p: np.diag(p[k]),
        "spherical": lambda p: p[k] * np.eye(d),
    }[posterior.covariance_type](posterior.precisions_)
    scale = posterior.covariance_prior_
    scale = scale if np.ndim(scale) == 2 else np.eye(d) * scale
    nu = np.broadcast_to(posterior.degrees_of_freedom_, (2,))[k]
    after = nu, own / nu
    before = posterior.degrees_of_freedom_prior_, np.linalg.inv(scale)
    precisions = wishart(*after).rvs(draws, random_state=random)
    beta, beta_0 = posterior.mean_precision_[k], posterior.mean_precision_prior_
    spreads = np.linalg.cholesky(np.linalg.inv(precisions)) / np.sqrt(beta)
    means = posterior.means_[k] + np.einsum("sij,sj->si", spreads, random.normal(size=(draws, d)))
    gap = wishart_log_density(*before, precisions) - wishart_log_density(*after, precisions)
    few = np.moveaxis(precisions[:20], 0, -1)
    expected = wishart(*before).logpdf(few) - wishart(*after).logpdf(few)
    assert_allclose(gap[:20], expected, rtol=1e-9, atol=1e-9)
    for center, count, sign in (
        (posterior.mean_prior_, beta_0, 1),
        (posterior.means_[k], beta, -1),
    ):
        differences = means - center
        squares = np.einsum("si,sij,sj->s", differences, count * precisions, differences)
        gap += sign * 0.5 * (d * np.log(count) - squares)
    return means, precisions, gap


def rounding(x):
    """Return what rounding may change of a bound, relative to it; infinite for singular rows.

    Each component has the covariance of all rows in its own, to the digits of its largest entries.
    """
    covariance = np.atleast_2d(np.cov(np.asarray(x, np.float64).T))
    deviations = np.sqrt(np.diagonal(covariance))
    if not (deviations > 0).all():
        return np.inf
    least = np.linalg.eigvalsh(covariance / np.outer(deviations, deviations))[0]
    return 1e-11 + 30 * EPSILON / least if least > 1e-11 else np.inf


@pytest.mark.slow
@pytest.mark.parametrize("block", range(3))
def test_it_never_falls_and_nothing_is_lost(block):
    """Of small sets with something wrong, under priors of all sizes; noise makes the step exact."""
    random, exact = np.random.default_rng(100 + block), 0
    for number in range(40):
        x = nasty(random)
        n, d = x.shape
        weights = random.integers(0, 3, size=n) + 1e-3 if number % 3 == 0 else None
        settings = {
            "covariance_type": STRUCTURES[number % 4],
            "weight_concentration_prior_type": TYPES[number // 4 % 2],
            "init_params": ("random_from_data", "random", "k-means++")[block],
        }
        if number % 5 == 0:
            settings |= {
                "mean_precision_prior": 10.0 ** random.integers(-6, 4),
                "degrees_of_freedom_prior": d - 1 + 10.0 ** random.integers(-8, 2),
                "weight_concentration_prior": 10.0 ** random.integers(-8, 5),
            }
        k = int(random.integers(1, min(n, 7) + 1))
        mixture = BayesianGaussianMixture(k, tol=0, max_iter=12, random_state=number, **settings)
        mixture.fit(x, sample_weight=weights, weights_are="relative")
        bounds = np.array(mixture.lower_bounds_)
        concentrations = np.atleast_2d(mixture.weight_concentration_)
        for values in (mixture.weights_, mixture.mean_precision_, concentrations):
            assert (values > 0).all(), settings
        for name in ("means_", "covariances_", "precisions_", "degrees_of_freedom_"):
            assert np.isfinite(getattr(mixture, name)).all(), settings
        assert np.isfinite(bounds).all(), settings
        slack = rounding(x) * max(1.0, np.abs(bounds).max())
        exact += np.isfinite(slack)
        assert (np.diff(bounds) >= -slack).all(), settings
    assert exact > 20


@pytest.mark.parametrize("prior_type", TYPES)
@pytest.mark.parametrize("covariance_type", STRUCTURES)
def test_components_without_rows_keep_their_prior(covariance_type, prior_type):
    random = np.random.default_rng(0)
    x = np.concatenate([random.normal(size=(300, 2)), random.normal(size=(300, 2)) + 20])
    mixture = BayesianGaussianMixture(
        8, covariance_type=covariance_type, weight_concentration_prior_type=prior_type,
        weight_concentration_prior=1e-6, mean_precision_prior=1e-9, random_state=0, max_iter=300,
        init_params="random", tol=1e-6, acceleration=None,
    ).fit(x)  # fmt: skip
    counts = mixture.mean_precision_ - mixture.mean_precision_prior_
    pruned = counts < 1e-12
    assert pruned.any()
    assert (mixture.weights_[pruned] > 0).all()
    assert_allclose(mixture.means_[pruned], x.mean(axis=0)[None].repeat(pruned.sum(), 0), rtol=1e-3)
    if covariance_type != "tied":
        for k in np.flatnonzero(pruned):
            nu = mixture.degrees_of_freedom_[k]
            assert_allclose(mixture.covariances_[k] * nu, mixture.covariance_prior_, rtol=1e-6)


@pytest.mark.parametrize("covariance_type", STRUCTURES)
def test_degrees_of_freedom_at_their_limit(covariance_type):
    x = np.random.default_rng(0).normal(size=(50, 3))
    mixture = BayesianGaussianMixture(
        4, covariance_type=covariance_type, degrees_of_freedom_prior=np.nextafter(2.0, 3.0),
        random_state=0,
    ).fit(x)  # fmt: skip
    assert np.isfinite(mixture.lower_bounds_).all()
    assert np.isfinite(mixture.score_samples(x)).all()
    assert (np.diff(mixture.lower_bounds_) >= -1e-10).all()
