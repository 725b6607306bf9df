"""Variational posteriors: scikit-learn's from the same start, whatever the chunks."""

import copy
from functools import partial

import dask.array as da
import numpy as np
import pytest
import sklearn.mixture
import zarr
from numpy.testing import assert_allclose, assert_array_equal

from daskgmm import BayesianGaussianMixture as Estimator
from tests.oracle.data import STRUCTURES, blobs

# scikit-learn's path, pass by pass.
BayesianGaussianMixture = partial(Estimator, acceleration=None)
Reference = sklearn.mixture.BayesianGaussianMixture

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

N, D, K = 150, 3, 5

TYPES = ("dirichlet_process", "dirichlet_distribution")
STARTS = ("kmeans", "k-means++", "random", "random_from_data")

FITTED = (
    "weights_", "means_", "covariances_", "precisions_", "precisions_cholesky_",
    "weight_concentration_prior_", "mean_precision_prior_", "mean_precision_", "mean_prior_",
    "degrees_of_freedom_prior_", "degrees_of_freedom_", "covariance_prior_",
)  # fmt: skip

LAYOUTS = {
    "numpy": lambda x: x,
    "one row": lambda x: da.from_array(x, chunks=(1, D)),
    "uneven": lambda x: da.from_array(x, chunks=((1, 60, 2, 87), (D,))),
    "unknown lengths": lambda x: (lambda a: a[a[:, 0] > -np.inf])(da.from_array(x, chunks=(40, D))),
    "zarr": lambda x: zarr.create_array(zarr.storage.MemoryStore(), data=x, chunks=(64, 2)),
}


def assert_same(ours, theirs, rtol=1e-8):
    for name in FITTED:
        mine, reference = getattr(ours, name), getattr(theirs, name)
        assert np.shape(mine) == np.shape(reference), name
        assert_allclose(mine, reference, rtol=rtol, atol=1e-12, err_msg=name)
    concentrations = ours.weight_concentration_, theirs.weight_concentration_
    assert isinstance(concentrations[0], tuple) == isinstance(concentrations[1], tuple)
    assert_allclose(*map(np.atleast_2d, concentrations), rtol=rtol)


@pytest.mark.slow
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("prior_type", TYPES)
@pytest.mark.parametrize("covariance_type", STRUCTURES)
def test_iterations_are_scikit_learns(covariance_type, prior_type, layout):
    x = blobs(N, D, 3, seed=2)
    for iterations, start in ((0, "kmeans"), (1, "random"), (12, "kmeans")):
        settings = {
            "n_components": K, "covariance_type": covariance_type, "tol": 0.0, "random_state": 3,
            "weight_concentration_prior_type": prior_type, "max_iter": iterations,
            "init_params": start,
        }  # fmt: skip
        if layout == "unknown lengths" and start == "random":
            continue  # the generator of the start needs the row numbers
        theirs = Reference(**settings).fit(x)
        ours = BayesianGaussianMixture(**settings).fit(LAYOUTS[layout](x))
        assert ours.n_iter_ == theirs.n_iter_ == iterations
        assert_same(ours, theirs)


@pytest.mark.slow
@pytest.mark.parametrize("init_params", STARTS)
@pytest.mark.parametrize("prior_type", TYPES)
@pytest.mark.parametrize("covariance_type", STRUCTURES)
def test_predictions_are_scikit_learns(covariance_type, prior_type, init_params):
    x, new = blobs(N, D, 3, seed=4), blobs(50, D, 3, seed=5)
    settings = {
        "n_components": K, "covariance_type": covariance_type, "random_state": 7, "max_iter": 30,
        "weight_concentration_prior_type": prior_type, "init_params": init_params, "tol": 0.0,
    }  # fmt: skip
    theirs = Reference(**settings).fit(x)
    ours = BayesianGaussianMixture(**settings).fit(x)
    assert_same(ours, theirs)
    posteriors = theirs.predict_proba(new)
    assert_allclose(ours.predict_proba(new), posteriors, atol=1e-8)
    # Components without rows are equal, and rounding decides between them.
    largest = np.sort(posteriors, axis=1)
    told = largest[:, -1] - largest[:, -2] > 1e-7
    assert told.sum() > 40
    assert_array_equal(ours.predict(new)[told], theirs.predict(new)[told])
    assert_allclose(ours.score_samples(new), theirs.score_samples(new), rtol=1e-8)
    assert_allclose(ours.score(new), theirs.score(new), rtol=1e-8)
    for mine, reference in zip(ours.sample(20), theirs.sample(20), strict=True):
        assert_allclose(mine, reference, rtol=1e-6)


PRIORS = {
    "full": np.diag([2.0, 1.0, 3.0]) + 0.3,
    "tied": np.diag([2.0, 1.0, 3.0]) + 0.3,
    "diag": np.array([2.0, 1.0, 3.0]),
    "spherical": 0.7,
}


@pytest.mark.parametrize("prior_type", TYPES)
@pytest.mark.parametrize("covariance_type", STRUCTURES)
def test_priors_that_are_given(covariance_type, prior_type):
    x = blobs(N, D, 3, seed=6)
    settings = {
        "n_components": K, "covariance_type": covariance_type, "random_state": 1, "max_iter": 9,
        "weight_concentration_prior_type": prior_type, "weight_concentration_prior": 3.5,
        "mean_precision_prior": 0.2, "mean_prior": [1.0, -2.0, 0.5], "reg_covar": 0.01,
        "degrees_of_freedom_prior": 2.01, "covariance_prior": PRIORS[covariance_type], "tol": 0.0,
    }  # fmt: skip
    assert_same(BayesianGaussianMixture(**settings).fit(x), Reference(**settings).fit(x))


@pytest.mark.parametrize("prior_type", TYPES)
@pytest.mark.parametrize("covariance_type", STRUCTURES)
def test_whole_fits_end_where_scikit_learns_do(covariance_type, prior_type):
    x = blobs(300, 2, 3, seed=3)
    settings = {
        "n_components": 4, "covariance_type": covariance_type, "random_state": 7, "tol": 1e-3,
        "weight_concentration_prior_type": prior_type, "max_iter": 500,
    }  # fmt: skip
    ours, theirs = BayesianGaussianMixture(**settings).fit(x), Reference(**settings).fit(x)
    assert ours.converged_
    # The bound of a pass is before its M-step here, and after it there.
    assert abs(ours.n_iter_ - theirs.n_iter_) <= 2
    assert_allclose(ours.weights_, theirs.weights_, atol=2e-3)
    assert_array_equal(ours.predict(x), theirs.predict(x))


@pytest.mark.slow
def test_bounds_rise_as_scikit_learns_do():
    """Each between two of scikit-learn's, less the constants that these lack."""
    x = blobs(300, 2, 3, seed=3)
    settings = {"n_components": 4, "random_state": 7, "tol": 0.0, "max_iter": 40, "reg_covar": 0.0}
    ours = BayesianGaussianMixture(**settings).fit(x)
    theirs = np.array(Reference(**settings).fit(x).lower_bounds_)
    mine = np.array(ours.lower_bounds_) * len(x)
    # In the end nothing changes any more.
    mine += theirs[-1] - mine[-1]
    assert (mine[1:] >= theirs[:-1] - 1e-3).all()
    assert (mine <= theirs + 1e-3).all()


@pytest.mark.parametrize("prior_type", TYPES)
def test_warm_start_goes_on_as_scikit_learn_does(prior_type):
    x = blobs(200, 2, 3, seed=5)
    settings = {
        "n_components": 4, "random_state": 0, "max_iter": 2, "warm_start": True, "tol": 0.0,
        "weight_concentration_prior_type": prior_type,
    }  # fmt: skip
    theirs, ours = Reference(**settings), BayesianGaussianMixture(**settings)
    for _ in range(4):
        theirs.fit(x)
        ours.fit(x)
        assert_same(ours, theirs)


@pytest.mark.parametrize("acceleration", [None, "auto"])
@pytest.mark.parametrize("covariance_type", STRUCTURES)
def test_counts_are_repeated_rows(covariance_type, acceleration):
    x = blobs(120, 2, 3, seed=5)
    weights = np.random.default_rng(0).integers(0, 4, size=len(x))
    settings = {"n_components": 4, "random_state": 0, "max_iter": 5, "tol": 0.0}
    begun = Estimator(
        covariance_type=covariance_type, acceleration=acceleration, warm_start=True, **settings
    ).fit(x)
    one, other = begun, copy.deepcopy(begun)
    one.fit(da.from_array(x, chunks=(50, 2)), sample_weight=weights, weights_are="counts")
    other.fit(np.repeat(x, weights, axis=0))
    assert_same(one, other)
    assert_allclose(one.lower_bounds_, other.lower_bounds_, rtol=1e-9)


def test_the_scale_of_relative_weights_changes_nothing():
    x = blobs(120, 2, 3, seed=5)
    weights = np.random.default_rng(0).random(len(x))
    settings = {"n_components": 4, "random_state": 0, "max_iter": 15, "tol": 0.0}
    for start in STARTS:
        own = {**settings, "init_params": start}
        one = BayesianGaussianMixture(**own).fit(x, sample_weight=weights)
        other = BayesianGaussianMixture(**own).fit(x, sample_weight=1e6 * weights)
        assert_same(one, other)
        assert_allclose(one.lower_bounds_, other.lower_bounds_, rtol=1e-9)
        effective = weights.sum() ** 2 / (weights**2).sum()
        total = one.mean_precision_.sum() - 4 * one.mean_precision_prior_
        assert_allclose(total, effective)


def test_rows_that_miss_a_value_are_left_out():
    x = blobs(120, 2, 3, seed=5)
    holed = x.copy()
    holed[::7, 1] = np.nan
    settings = {"n_components": 4, "random_state": 0, "max_iter": 15, "tol": 0.0}
    whole = np.isfinite(holed).all(axis=1)
    ours = BayesianGaussianMixture(missing="drop", **settings).fit(da.from_array(holed, chunks=50))
    assert_same(ours, Reference(**settings).fit(x[whole]))
    assert (np.asarray(ours.predict(holed))[~whole] == -1).all()
