"""Rows far from the origin, clusters far apart, and more rows than float32 can count."""

import warnings

import numpy as np
import pytest
import sklearn.mixture
from numpy.testing import assert_allclose

from daskgmm import GaussianMixture
from tests.oracle.data import STRUCTURES, blobs, in_structure, start_for

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def fit_ours(X, covariance_type, start, iterations=5):
    mixture = GaussianMixture(
        len(start["means_init"]),
        covariance_type=covariance_type,
        max_iter=iterations,
        tol=0,
        **start,
    )
    return mixture.fit(X)


def sklearn_fails_or_is_wrong(X, covariance_type, start, covariances):
    settings = {"covariance_type": covariance_type, "max_iter": 5, "tol": 0.0}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mixture = sklearn.mixture.GaussianMixture(len(start["means_init"]), **settings, **start)
        try:
            mixture.fit(X)
        except ValueError:
            return True
    return not np.allclose(mixture.covariances_, covariances, rtol=1e-6)


@pytest.mark.parametrize("covariance_type", STRUCTURES)
def test_offset_of_1e8(covariance_type):
    shifted = blobs(1000, 3, 3) / 2 + 1e8
    centred = shifted - 1e8  # exact: what the shifted rows really say
    start = start_for(centred, 3, covariance_type)
    expected = fit_ours(centred, covariance_type, start)
    far = {**start, "means_init": start["means_init"] + 1e8}
    ours = fit_ours(shifted, covariance_type, far)
    # Means at 1e8 are known to 1.5e-8, which moves responsibilities by about as much.
    assert_allclose(ours.covariances_, expected.covariances_, rtol=1e-6, atol=1e-7)
    assert_allclose(ours.means_ - 1e8, expected.means_, atol=1e-7)
    assert_allclose(ours.lower_bound_, expected.lower_bound_, rtol=1e-7)
    assert_allclose(ours.predict_proba(shifted), expected.predict_proba(centred), atol=1e-6)
    if covariance_type != "full":
        assert sklearn_fails_or_is_wrong(shifted, covariance_type, far, expected.covariances_)


@pytest.mark.parametrize("covariance_type", STRUCTURES)
def test_offset_in_float32(covariance_type):
    shifted = (blobs(1000, 3, 3) + 1e4).astype(np.float32)
    centred = shifted.astype(np.float64) - 1e4
    start = start_for(centred, 3, covariance_type)
    expected = fit_ours(centred, covariance_type, start)
    ours = fit_ours(shifted, covariance_type, {**start, "means_init": start["means_init"] + 1e4})
    assert_allclose(ours.covariances_, expected.covariances_, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("covariance_type", STRUCTURES)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_offset_of_1e8_from_our_own_start(covariance_type, dtype):
    shifted = (blobs(1000, 2, 3) * 100 + 1e8).astype(dtype)
    mixture = GaussianMixture(3, covariance_type=covariance_type, random_state=0).fit(shifted)
    exact = shifted.astype(np.float64) - 1e8
    same = GaussianMixture(3, covariance_type=covariance_type, random_state=0).fit(exact)
    assert_allclose(mixture.score(shifted), same.score(exact), rtol=1e-5)
    assert np.isfinite(mixture.covariances_).all()


@pytest.mark.parametrize("covariance_type", STRUCTURES)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_clusters_a_million_deviations_apart(covariance_type, dtype):
    random = np.random.default_rng(0)
    X = random.normal(size=(2000, 2))
    X[:1000] += 5e5
    X[1000:] -= 5e5
    X = X.astype(dtype)
    halves = X[:1000].astype(np.float64), X[1000:].astype(np.float64)
    each = np.stack([np.cov(half.T, bias=True) for half in halves]) + 1e-6 * np.eye(2)
    expected = in_structure(each, covariance_type)
    precisions = {
        "full": np.tile(np.eye(2), (2, 1, 1)),
        "tied": np.eye(2),
        "diag": np.ones((2, 2)),
        "spherical": np.ones(2),
    }[covariance_type]
    start = {
        "weights_init": [0.5, 0.5],
        "means_init": np.array([[5e5, 5e5], [-5e5, -5e5]]),
        "precisions_init": precisions,
    }
    ours = fit_ours(X, covariance_type, start, iterations=3)
    rtol = 1e-6 if dtype == np.float64 else 1e-5
    assert_allclose(ours.covariances_, expected, rtol=rtol, atol=rtol)
    assert_allclose(ours.means_, [half.mean(0) for half in halves], rtol=1e-12)
    if covariance_type != "full":
        start = {name: np.array(value, dtype) for name, value in start.items()}
        assert sklearn_fails_or_is_wrong(X, covariance_type, start, expected)
    found = GaussianMixture(2, covariance_type=covariance_type, random_state=0).fit(X)
    assert_allclose(np.sort(found.means_, axis=0), np.sort(ours.means_, axis=0), rtol=1e-12)


@pytest.mark.slow
def test_forty_million_float32_rows():
    random = np.random.default_rng(0)
    X = random.standard_normal((40_000_000, 1), dtype=np.float32)
    X[::2] += 5
    X[1::2] -= 5
    mixture = GaussianMixture(2, random_state=0).fit(X)
    assert_allclose(np.sort(mixture.means_[:, 0]), [-5, 5], atol=1e-3)
    assert_allclose(mixture.covariances_.ravel(), [1, 1], atol=1e-3)
    assert_allclose(mixture.weights_, 0.5, atol=1e-4)
