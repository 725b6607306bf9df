"""Sample weights: multiplicities of rows."""

from functools import partial

import dask.array as da
import numpy as np
import pytest
import zarr
from numpy.testing import assert_allclose

from daskgmm import GaussianMixture as Estimator
from tests.oracle.data import STRUCTURES, blobs, start_for

# scikit-learn's path, pass by pass.
GaussianMixture = partial(Estimator, acceleration=None)

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X = blobs(200, 3, 3, seed=1)
COUNTS = np.random.default_rng(0).integers(0, 4, size=len(X))
REPEATED = np.repeat(X, COUNTS, axis=0)


def assert_same(one, other, rtol):
    for name in ("weights_", "means_", "covariances_", "lower_bounds_"):
        assert_allclose(getattr(one, name), getattr(other, name), rtol=rtol, atol=1e-13)


def fitted(covariance_type, rows, weights=None, **start):
    start = start or start_for(X, 3, covariance_type)
    mixture = GaussianMixture(3, covariance_type=covariance_type, max_iter=10, tol=0, **start)
    return mixture.fit(rows, sample_weight=weights)


@pytest.mark.parametrize("covariance_type", STRUCTURES)
def test_integer_weights_are_repeated_rows(covariance_type):
    assert_same(fitted(covariance_type, X, COUNTS), fitted(covariance_type, REPEATED), 1e-10)


@pytest.mark.parametrize("covariance_type", STRUCTURES)
def test_zero_weights_are_no_rows(covariance_type):
    keep = (COUNTS > 0).astype(float)
    spoiled = np.where(keep[:, None] > 0, X, 1e9)
    assert_same(fitted(covariance_type, spoiled, keep), fitted(covariance_type, X[keep > 0]), 1e-10)


@pytest.mark.parametrize("init_params", ["kmeans", "k-means++"])
def test_zero_weights_do_not_touch_the_start(init_params):
    keep = (COUNTS > 0).astype(float)
    with_zeros = GaussianMixture(3, init_params=init_params, random_state=0).fit(
        X, sample_weight=keep
    )
    removed = GaussianMixture(3, init_params=init_params, random_state=0).fit(X[keep > 0])
    assert_same(with_zeros, removed, 1e-9)


def test_weights_count_in_proportion_only():
    one, other = fitted("full", X, COUNTS), fitted("full", X, COUNTS * 1e-30)
    assert_allclose(one.means_, other.means_, rtol=1e-10)
    assert_allclose(one.weights_, other.weights_, rtol=1e-10)


def test_weights_in_every_type_give_the_same():
    expected = fitted("full", X, COUNTS)
    lazy = da.from_array(X, chunks=(70, 3))
    stored = zarr.create_array(zarr.storage.MemoryStore(), data=COUNTS.astype(float), chunks=(33,))
    for rows, weights in [
        (X, list(COUNTS)),
        (lazy, COUNTS),
        (lazy, da.from_array(COUNTS, chunks=31)),
        (lazy, stored),
        ([X[:10], X[10:]], COUNTS),
        (lazy[lazy[:, 0] > -np.inf], da.from_array(COUNTS, chunks=70)),
    ]:
        assert_same(fitted("full", rows, weights), expected, 1e-10)


def test_random_starts_choose_rows_by_weight():
    weights = np.zeros(len(X))
    weights[[3, 5, 7]] = 1.0
    mixture = GaussianMixture(3, init_params="random_from_data", random_state=0, max_iter=0)
    mixture.fit(X, sample_weight=weights)
    assert_allclose(np.sort(mixture.means_, axis=0), np.sort(X[[3, 5, 7]], axis=0))
