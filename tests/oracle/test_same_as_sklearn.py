"""Promise 1: from the same start, scikit-learn's parameters, whatever the chunks."""

from functools import partial

import dask.array as da
import numpy as np
import pytest
import sklearn.mixture
import zarr
from numpy.testing import assert_allclose

from daskgmm import GaussianMixture as Estimator
from tests.oracle.data import STRUCTURES, blobs, start_for

# scikit-learn's path, pass by pass.
GaussianMixture = partial(Estimator, acceleration=None)

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

N, D, K = 120, 3, 3


def _zarr(X, chunks):
    array = zarr.create_array(zarr.storage.MemoryStore(), data=X, chunks=chunks)
    assert array.chunks == chunks
    return array


LAYOUTS = {
    "numpy": lambda X: X,
    "fortran": np.asfortranarray,
    "strided": lambda X: np.repeat(np.repeat(X, 2, axis=0), 2, axis=1)[::2, ::2],
    "list of arrays": lambda X: [X[:50], X[50:51], X[51:]],
    "dask, one row": lambda X: da.from_array(X, chunks=(1, D)),
    "dask, seven rows": lambda X: da.from_array(X, chunks=(7, D)),
    "dask, all rows": lambda X: da.from_array(X, chunks=(N, D)),
    "dask, fortran": lambda X: da.from_array(np.asfortranarray(X), chunks=(31, D)),
    "dask, uneven": lambda X: da.from_array(X, chunks=((1, 40, 2, 77), (D,))),
    "dask, empty chunks": lambda X: da.concatenate(
        [
            da.zeros((0, D), chunks=(1, D)),
            *(da.from_array(X[a : a + 40]) for a in (0, 40)),
            da.zeros((0, D), chunks=(1, D)),
            da.from_array(X[80:]),
        ]
    ),
    "dask, column chunks": lambda X: da.from_array(X, chunks=(50, 1)),
    "dask, unknown lengths": lambda X: (lambda A: A[A[:, 0] > -np.inf])(
        da.from_array(X, chunks=(17, D))
    ),
    "zarr, one row": lambda X: _zarr(X, (1, D)),
    "zarr, seven rows": lambda X: _zarr(X, (7, D)),
    "zarr, column chunks": lambda X: _zarr(X, (7, 1)),
    "list of zarr and dask": lambda X: [_zarr(X[:64], (8, D)), da.from_array(X[64:])],
}


MANY = ("dask, one row", "zarr, one row", "zarr, seven rows", "zarr, column chunks")
"""Layouts of many chunks, of which a fit takes long."""

SLOW = pytest.mark.slow


@pytest.mark.parametrize("covariance_type", STRUCTURES)
@pytest.mark.parametrize(
    "layout", [pytest.param(x, marks=SLOW if x in MANY else ()) for x in LAYOUTS]
)
def test_iterations_are_scikit_learns(layout, covariance_type):
    X = blobs(N, D, K)
    start = start_for(X, K, covariance_type)
    for iterations in (1, 2, 10):
        settings = {"covariance_type": covariance_type, "max_iter": iterations, "tol": 0.0}
        theirs = sklearn.mixture.GaussianMixture(K, **settings, **start).fit(X)
        ours = GaussianMixture(K, **settings, **start).fit(LAYOUTS[layout](X))
        assert ours.n_iter_ == theirs.n_iter_ == iterations
        for name in ("weights_", "means_", "covariances_", "precisions_", "precisions_cholesky_"):
            assert_allclose(getattr(ours, name), getattr(theirs, name), rtol=1e-8, atol=1e-12)
        assert_allclose(ours.lower_bounds_, theirs.lower_bounds_, rtol=1e-8)
        assert_allclose(ours.score(X), theirs.score(X), rtol=1e-8)
        assert_allclose(ours.bic(X), theirs.bic(X), rtol=1e-8)
        assert_allclose(ours.aic(X), theirs.aic(X), rtol=1e-8)


@pytest.mark.parametrize("init_params", ["kmeans", "k-means++", "random", "random_from_data"])
@pytest.mark.parametrize("covariance_type", STRUCTURES)
def test_whole_fits_are_scikit_learns(covariance_type, init_params):
    X = blobs(400, 2, 3, seed=3)
    settings = {
        "covariance_type": covariance_type,
        "init_params": init_params,
        "random_state": 7,
        "max_iter": 300,
    }
    theirs = sklearn.mixture.GaussianMixture(3, **settings).fit(X)
    ours = GaussianMixture(3, **settings).fit(X)
    assert ours.n_iter_ == theirs.n_iter_
    assert_allclose(ours.means_, theirs.means_, rtol=1e-7)
    assert_allclose(ours.covariances_, theirs.covariances_, rtol=1e-6, atol=1e-9)
    assert_allclose(ours.lower_bound_, theirs.lower_bound_, rtol=1e-10)
    np.testing.assert_array_equal(ours.predict(X), theirs.predict(X))
    assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), atol=1e-7)
    assert_allclose(ours.score_samples(X), theirs.score_samples(X), rtol=1e-7)
    for mine, reference in zip(ours.sample(20), theirs.sample(20), strict=True):
        assert_allclose(mine, reference, rtol=1e-6)


@pytest.mark.parametrize("covariance_type", STRUCTURES)
def test_restarts_are_scikit_learns(covariance_type):
    X = blobs(300, 2, 4, seed=8, separation=1.0)  # overlapping: each start ends elsewhere
    settings = {
        "covariance_type": covariance_type,
        "init_params": "random",
        "random_state": 1,
        "n_init": 4,
        "max_iter": 30,
    }
    theirs = sklearn.mixture.GaussianMixture(4, **settings).fit(X)
    ours = GaussianMixture(4, **settings).fit(X)
    assert (ours.n_iter_, ours.converged_) == (theirs.n_iter_, theirs.converged_)
    assert_allclose(ours.lower_bounds_, theirs.lower_bounds_, rtol=1e-9)
    assert_allclose(ours.means_, theirs.means_, rtol=1e-6)


@pytest.mark.parametrize("given", ["weights_init", "means_init", "precisions_init"])
@pytest.mark.parametrize("covariance_type", STRUCTURES)
def test_partly_given_starts_are_scikit_learns(covariance_type, given):
    X = blobs(200, 2, 3, seed=5)
    start = {given: start_for(X, 3, covariance_type)[given]}
    settings = {"covariance_type": covariance_type, "random_state": 0, "max_iter": 4, "tol": 0.0}
    theirs = sklearn.mixture.GaussianMixture(3, **settings, **start).fit(X)
    ours = GaussianMixture(3, **settings, **start).fit(X)
    assert_allclose(ours.means_, theirs.means_, rtol=1e-8)
    assert_allclose(ours.covariances_, theirs.covariances_, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("covariance_type", STRUCTURES)
def test_warm_start_goes_on_as_scikit_learn_does(covariance_type):
    X = blobs(200, 2, 3, seed=5)
    settings = {
        "covariance_type": covariance_type,
        "random_state": 0,
        "max_iter": 2,
        "warm_start": True,
    }
    theirs = sklearn.mixture.GaussianMixture(3, **settings)
    ours = GaussianMixture(3, **settings)
    for _ in range(4):
        theirs.fit(X)
        ours.fit(X)
        assert (ours.converged_, ours.n_iter_) == (theirs.converged_, theirs.n_iter_)
        assert_allclose(ours.lower_bounds_, theirs.lower_bounds_, rtol=1e-10)
        assert_allclose(ours.means_, theirs.means_, rtol=1e-8)
