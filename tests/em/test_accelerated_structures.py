"""Structures narrower than their form, uniform components and posteriors: accelerated too."""

import numpy as np
import pytest

from daskgmm import BayesianGaussianMixture, GaussianMixture
from daskgmm.em.acceleration.search import Search
from daskgmm.em.events import Iterated
from daskgmm.em.iterations.advance import doubted
from tests.promises.slow import bits

K, TOL = 3, 1e-3

FACTORS = {"n_factors": 2}

CASES = {
    "ppca": (10, {"covariance_type": "ppca", **FACTORS}, 55, 77, -17.411956),
    "factor": (10, {"covariance_type": "factor", **FACTORS}, 52, 59, -16.343061),
    "mcfa": (10, {"covariance_type": "mcfa", **FACTORS}, 32, 129, -18.217534),
    "many features, factor": (70, {"covariance_type": "factor", **FACTORS}, 20, 22, -96.424388),
    "many features, mcfa": (70, {"covariance_type": "mcfa", **FACTORS}, 35, 71, -125.819965),
    "VEE": (6, {"covariance_type": "VEE"}, 55, 193, -10.482957),
    "VEI": (6, {"covariance_type": "VEI"}, 20, 71, -10.717482),
    "noise": (6, {"noise": True}, 45, 79, -10.155858),
    "t": (6, {"tails": "t"}, 42, 68, -10.156229),
    "contaminated": (6, {"tails": "contaminated"}, 45, 74, -10.155858),
    "posterior": (6, {}, 40, 59, -10.535755),
}
"""Features, settings, and the most passes; those of plain EM to a change of 1e-7, and its end."""


def rows(d, n=600, q=2):
    """Draw rows of factor analysers that overlap."""
    random = np.random.default_rng(0)
    noise, loadings = random.uniform(0.2, 1.5, (K, d)), random.normal(size=(K, q, d))
    means = (0.4 if d < 50 else 0.15) * random.normal(size=(K, d))
    labels = random.integers(K, size=n)
    x = means[labels] + np.einsum("nq,nqd->nd", random.normal(size=(n, q)), loadings[labels])
    return x + random.normal(size=(n, d)) * np.sqrt(noise[labels])


def estimator(name, **more):
    kind = BayesianGaussianMixture if name == "posterior" else GaussianMixture
    settings = {"random_state": 1, "max_iter": 200, "tol": TOL, "reg_covar": 0}
    return kind(K, **{**settings, **CASES[name][1], **more})


@pytest.fixture(autouse=True)
def one_start(monkeypatch):
    """Let fits begin at scikit-learn's start, as the best of several depends on them."""
    monkeypatch.setattr("daskgmm.em.fit.worth_comparing", lambda *_: 0)


@pytest.mark.parametrize("name", CASES)
def test_fewer_passes_to_the_end_of_plain_em_and_the_objective_never_falls(name):
    d, _, most, plain, end = CASES[name]
    mixture = estimator(name).fit(rows(d))
    assert mixture.converged_
    assert mixture.n_iter_ <= most < plain
    bounds = np.array(mixture.lower_bounds_)
    assert bounds[-1] >= end - TOL / 10
    assert np.diff(bounds).min() >= -1e-12 * abs(end)


@pytest.mark.parametrize(
    "name", ["mcfa", "many features, mcfa", "t", "contaminated", "noise", "posterior"]
)
def test_a_fit_that_goes_on_from_its_checkpoint_has_the_same_bits(name, tmp_path):
    x, path = rows(CASES[name][0]), tmp_path / "checkpoint"
    whole = estimator(name).fit(x)
    with pytest.warns(match="max_iter"):
        estimator(name, max_iter=12).fit(x, checkpoint=path)
    resumed = estimator(name).fit(x, checkpoint=path)
    assert resumed.n_iter_ == whole.n_iter_ > 12
    assert bits(resumed) == bits(whole)


def test_what_the_last_passes_gained_doubts_a_quadratic_model():
    search = Search(None, gap=1e-9, calm=2)

    def after(*bounds):
        told = {"rows": 1, "seconds": 0.0, "nbytes": 0, "peak_memory": 0}
        passes = [
            Iterated(iteration=1 + i, lower_bound=bound, **told) for i, bound in enumerate(bounds)
        ]
        return doubted(search, passes, 1e-5)

    slow = after(0.0, 1e-3, 2e-3, 2.9e-3, 3.8e-3)  # changes shrink by 0.9: 9 times the last is left
    assert (slow.gap, slow.calm) == (pytest.approx(9 * 1.8e-3), 0)
    fast = after(0.0, 1e-3, 2e-3, 2e-3 + 1e-6, 2e-3 + 2e-6)
    assert (fast.gap, fast.calm) == (pytest.approx(2e-9, rel=1e-2), 2)
    assert after(0.0, 1e-3) == search  # too few to tell


def test_the_objective_of_principal_components_does_not_fall_beside_a_column_of_large_units():
    """By 8e-4 nats per row it did, where proposals had a noise of their own in that column."""
    random, d, n = np.random.default_rng(2), 70, 400
    loadings, labels = random.normal(size=(K, 2, d)), random.integers(K, size=n)
    x = 0.3 * random.normal(size=(K, d))[labels]
    x += np.einsum("nq,nqd->nd", random.normal(size=(n, 2)), loadings[labels])
    x += 0.7 * random.normal(size=(n, d))
    x[:, 0] *= 1e6
    settings = {"covariance_type": "ppca", **FACTORS, "max_iter": 300, "random_state": 0}
    mixture = GaussianMixture(K, **settings).fit(x)
    assert mixture.converged_
    assert np.diff(mixture.lower_bounds_).min() >= -1e-6  # rounding, beside squares of 1e12
