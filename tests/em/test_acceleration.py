"""Acceleration: never below plain EM, never slower, and it knows when it is done."""

from functools import cache

import numpy as np
import pytest
import zarr
from sklearn.datasets import load_iris

from daskgmm import GaussianMixture
from daskgmm.em.acceleration.search import remaining_gain
from daskgmm.errors import DegenerateComponentWarning
from daskgmm.gaussian import PRIORS
from daskgmm.gaussian.priors.table import ConjugatePrior
from tests.oracle.data import STRUCTURES, blobs

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
]


def overlapping(n, d, k, seed):
    random = np.random.default_rng(seed)
    means = random.normal(size=(k, d)) * 1.3
    return means[random.integers(k, size=n)] + random.normal(size=(n, d))


SETS = {
    "iris": (load_iris().data, 3),
    "apart": (blobs(1000, 3, 4, seed=1), 4),
    "overlapping": (overlapping(3000, 3, 4, 0), 4),
}


@cache
def given(name, covariance_type, seed):
    """Return a start that both kinds of fit share."""
    x, k = SETS[name]
    mixture = GaussianMixture(
        k, covariance_type=covariance_type, random_state=seed, max_iter=1, acceleration=None
    ).fit(x)
    return {
        "weights_init": mixture.weights_,
        "means_init": mixture.means_,
        "precisions_init": mixture.precisions_,
    }


@cache
def best_of_irises(covariance_type):
    """Return the likelihood at which a fit that stops by nothing ends."""
    x, k = SETS["iris"]
    settings = {"covariance_type": covariance_type, **given("iris", covariance_type, 0)}
    return GaussianMixture(k, tol=0, max_iter=400, **settings).fit(x).lower_bound_


def passes_to(bounds, target):
    reached = np.flatnonzero(np.asarray(bounds) >= target)
    return int(reached[0]) + 1


@pytest.mark.parametrize("covariance_type", STRUCTURES)
@pytest.mark.parametrize("name", SETS)
def test_never_slower_and_never_falling(name, covariance_type):
    x, k = SETS[name]
    settings = {"covariance_type": covariance_type, **given(name, covariance_type, 0)}
    plain = GaussianMixture(k, acceleration=None, tol=1e-9, max_iter=1000, **settings).fit(x)
    fast = GaussianMixture(k, tol=1e-7, max_iter=100, **settings).fit(x)
    bounds = np.array(fast.lower_bounds_)
    assert np.diff(bounds).min() >= -1e-11
    if abs(bounds[-1] - plain.lower_bounds_[-1]) < 2e-5:  # the same optimum
        target = min(bounds[-1], plain.lower_bounds_[-1]) - 1e-6
        assert passes_to(bounds, target) <= passes_to(plain.lower_bounds_, target)


@pytest.mark.parametrize("covariance_type", STRUCTURES)
@pytest.mark.parametrize("tol", [1e-2, 1e-3, 1e-5])
def test_the_gap_is_about_what_is_left(covariance_type, tol):
    x, k = SETS["iris"]  # no plateau, on which any local rule would stop
    settings = {"covariance_type": covariance_type, **given("iris", covariance_type, 0)}
    mixture = GaussianMixture(k, tol=tol, max_iter=400, **settings).fit(x)
    best = best_of_irises(covariance_type)
    assert mixture.converged_
    assert 0 <= mixture.gap_estimate_ <= tol / 100
    assert best - mixture.lower_bound_ <= tol
    assert mixture.history_["gap"][-1] == mixture.gap_estimate_


def test_the_gap_of_plain_steps_is_that_of_a_geometric_series():
    changes = [3e-4 * 0.8**i for i in range(200)]
    for i in (1, 5, 20):
        left = sum(changes[i + 1 :])
        assert remaining_gain(changes[i - 1 : i + 1], 1e-9) == pytest.approx(left, rel=1e-6)
    assert remaining_gain([2e-4, 2e-4], 1e-9) == np.inf  # they do not shrink
    assert remaining_gain([np.inf, 2e-4], 1e-9) == np.inf
    assert remaining_gain([-1e-4, 2e-4], 1e-9) == np.inf
    assert remaining_gain([2e-4, -1e-13], 1e-9) == 0.0


def test_a_fit_whose_objective_stands_still_ends(monkeypatch):
    """A weight goes to 0, and the gradient predicts a gain that no step reaches."""
    monkeypatch.setitem(PRIORS, "strong", ConjugatePrior(mean_count=50.0))
    random = np.random.default_rng(1)
    x = random.normal(size=(40, 3)) + random.integers(3, size=(40, 1)) * 1.5
    settings = {"prior": "strong", "random_state": 1, "max_iter": 400}
    for structure in ("diag", "spherical"):
        mixture = GaussianMixture(4, covariance_type=structure, **settings).fit(x)
        assert mixture.weights_.min() < 1e-5
        assert mixture.converged_
        assert mixture.gap_estimate_ < 1e-5
        longer = GaussianMixture(4, covariance_type=structure, tol=0.0, **settings).fit(x)
        assert longer.lower_bound_ - mixture.lower_bound_ < 1e-6


def test_rejected_passes_are_told_and_cost_nothing_but_themselves():
    (x, k), rejected = SETS["overlapping"], 0
    for seed in (0, 3, 4, 5):  # which starts overshoot depends on the last bits
        mixture = GaussianMixture(k, tol=0, max_iter=80, **given("overlapping", "full", seed))
        history = mixture.fit(x).history_
        for accepted, change in zip(history["accepted"], history["change"], strict=True):
            assert accepted or change == 0
            rejected += not accepted
    assert rejected


def test_plain_em_has_no_gap():
    mixture = GaussianMixture(2, random_state=0, acceleration=None).fit(SETS["iris"][0])
    assert np.isnan(mixture.gap_estimate_)
    assert all(mixture.history_["accepted"])


def test_one_component_is_found_at_once():
    x = SETS["apart"][0]
    mixture = GaussianMixture(1).fit(x)
    assert mixture.n_iter_ <= 3
    np.testing.assert_allclose(mixture.means_[0], x.mean(0), rtol=1e-12)


@pytest.mark.parametrize("whole", [1, 2, 7])
def test_a_warm_start_goes_on_with_what_acceleration_knew(whole):
    x, k = SETS["overlapping"]
    settings = {"tol": 0.0, "random_state": 0}
    at_once = GaussianMixture(k, max_iter=3 * whole, **settings).fit(x)
    again = GaussianMixture(k, max_iter=whole, warm_start=True, **settings)
    for _ in range(3):
        again.fit(x)
    np.testing.assert_array_equal(again.means_, at_once.means_)


@pytest.mark.parametrize("whole", [2, 7])
def test_a_warm_start_knows_its_rows_again_by_their_values(whole, tmp_path):
    x, k = SETS["overlapping"]
    settings = {"tol": 0.0, "random_state": 0}
    at_once = GaussianMixture(k, max_iter=3 * whole, **settings).fit(x)
    again = GaussianMixture(k, max_iter=whole, warm_start=True, **settings)
    zarr.create_array(tmp_path / "x.zarr", data=x, chunks=(len(x) // 7, x.shape[1]))
    for source in (x, str(tmp_path / "x.zarr"), x.copy()):
        again.fit(source)
    np.testing.assert_allclose(again.means_, at_once.means_, rtol=1e-9)
    assert again.lower_bounds_[0] > again.lower_bound_ - 1.0


def test_a_warm_start_without_iterations_has_no_likelihood_of_other_rows():
    x, k = SETS["overlapping"]
    mixture = GaussianMixture(k, warm_start=True, random_state=0).fit(x)
    bound = mixture.lower_bound_
    assert mixture.set_params(max_iter=0).fit(x).lower_bound_ == bound
    assert mixture.fit(x + 100.0).lower_bound_ == -np.inf
    assert np.isnan(mixture.criteria_["bic"])
    assert "no pass" in mixture.criteria_["measured"]


def test_a_warm_start_tells_rows_with_a_shuffled_column():
    x, k = SETS["overlapping"]
    mixture = GaussianMixture(k, acceleration=None, warm_start=True, tol=1e9, random_state=0)
    shuffled = x.copy()
    shuffled[:, 0] = np.random.default_rng(0).permutation(x[:, 0])
    assert mixture.fit(x).fit(shuffled).n_iter_ == 2


def test_parameters_set_by_hand_are_what_a_warm_start_begins_with():
    x, k = SETS["overlapping"]
    mixture = GaussianMixture(k, warm_start=True, random_state=0, max_iter=3, tol=0.0).fit(x)
    mixture.covariances_ = 4 * mixture.covariances_
    mixture.precisions_cholesky_ = mixture.precisions_cholesky_ / 2
    score = mixture.score(x)
    assert mixture.fit(x).lower_bounds_[0] == pytest.approx(score, abs=1e-4)


def test_a_warm_start_on_other_rows_forgets_what_was_learnt_of_the_first(tmp_path):
    x, k = SETS["overlapping"]
    other = x[: len(x) // 2] + 1.0
    path, settings = str(tmp_path / "x.zarr"), {"tol": 0.0, "random_state": 0, "max_iter": 5}
    found = []
    for second in (path, other):
        zarr.create_array(path, data=x, chunks=x.shape, overwrite=True)
        mixture = GaussianMixture(k, warm_start=True, **settings).fit(path)
        # The path is the same, the rows are others.
        zarr.create_array(path, data=other, chunks=other.shape, overwrite=True)
        found.append(mixture.fit(second))
    before = GaussianMixture(k, **settings).fit(x)
    start = {
        f"{name}_init": getattr(before, f"{name}_") for name in ("weights", "means", "precisions")
    }
    fresh = GaussianMixture(k, **start, **settings).fit(other)
    for mixture in found:
        np.testing.assert_allclose(mixture.lower_bounds_, fresh.lower_bounds_, rtol=1e-9)


def test_likelihoods_of_other_rows_do_not_end_a_warm_start():
    x, k = SETS["overlapping"]
    mixture = GaussianMixture(k, acceleration=None, warm_start=True, tol=1e9, random_state=0)
    mixture.fit(x).fit(x)
    assert mixture.n_iter_ == 1
    assert mixture.fit(x + 1e-3).n_iter_ == 2


def test_an_unknown_acceleration_is_refused():
    with pytest.raises(ValueError, match="'acceleration' parameter of GaussianMixture must be"):
        GaussianMixture(acceleration="fast").fit(SETS["iris"][0])


def test_a_component_that_dies_is_revived_once(caplog):
    x, k = SETS["apart"]
    means = np.concatenate([x[:1] + 500, x[[0]], x[[1]], x[[2]]])
    start = {"means_init": means, "precisions_init": np.tile(np.eye(3), (4, 1, 1))}
    with caplog.at_level("INFO", logger="daskgmm"):
        mixture = GaussianMixture(k, weights_init=np.full(4, 0.25), max_iter=300, **start).fit(x)
    assert "components [0] died" in caplog.text
    assert mixture.weights_.min() > 0.01
    assert np.diff(mixture.lower_bounds_).min() >= -1e-11


@pytest.mark.filterwarnings("ignore:Components that rest on a floor")
def test_one_that_cannot_live_stays_dead():
    x = np.repeat([[0.0, 0.0], [1.0, 5.0]], 50, axis=0)
    with pytest.warns(DegenerateComponentWarning, match="Components without rows"):
        mixture = GaussianMixture(3, random_state=0).fit(x)
    assert mixture.converged_
    assert np.diff(mixture.lower_bounds_).min() >= -1e-11
